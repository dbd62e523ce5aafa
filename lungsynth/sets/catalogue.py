"""All image sets of a study, said once: rules, scores and report take names, files and extractors from here.

A set's name is SUBJECT_ROLE. Its file lies under results/STUDY/; where it holds {shard}, the set is cut into shards.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One image set.

    Attributes:
        subject: what its images show: nodules (cut out), normals (slices without a nodule), lesions (slices with one).
        role: of the real ones, whose patients they are (fit, tune, domain, test); of the others, how they came about.
        file: where it lies.
    """

    subject: str
    role: str
    file: str

    @property
    def name(self) -> str:
        """SUBJECT_ROLE, by which files, tables and pages call it."""
        return f"{self.subject}_{self.role}"

    @property
    def extractor(self) -> str:
        """The extractor that sees it."""
        return EXTRACTORS[self.subject]

    @property
    def sharded(self) -> bool:
        """Whether it is cut into shards."""
        return "{shard}" in self.file


EXTRACTORS = {"nodules": "nodules", "normals": "slices", "lesions": "slices"}
TARGETS = ("nodules", "normals")
"""Subjects that a generator draws."""
BANKS = tuple(
    Entry(subject, role, f"banks/{subject}_{role}.npz")
    for subject, roles in (
        ("nodules", ("fit", "tune", "test")),
        ("normals", ("fit", "tune", "test")),
        ("lesions", ("fit", "tune", "domain", "test")),
    )
    for role in roles
)
GENERATED = tuple(
    Entry(target, made, f"generate/{target}/{made}.npz") for target in TARGETS for made in ("generated", "selected")
)
COMPOSED = (
    Entry("lesions", "composite", "compose/shards/{shard}.npy"),
    Entry("lesions", "refined", "refine/shards/{shard}.npy"),
)
CATALOGUE = {entry.name: entry for entry in (*BANKS, *GENERATED, *COMPOSED)}
REAL = ("fit", "tune", "domain", "test")


def made_of(subject: str) -> tuple[Entry, ...]:
    """The sets of a subject that no scanner made, in the order in which they come about."""
    return tuple(entry for entry in CATALOGUE.values() if entry.subject == subject and entry.role not in REAL)
