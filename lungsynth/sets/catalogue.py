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


EXTRACTORS = {"nodules": "nodules", "normals": "slices", "lesions": "slices", "pictures": "pictures"}
CHAINS = {"composites": ("nodules", "normals", "lesions"), "pictures": ("pictures",)}
"""The subjects of each chain."""
DRAWN = ("nodules", "normals", "pictures")
"""Subjects that a generator draws."""
ROLES = {
    "nodules": ("fit", "tune", "test"),
    "normals": ("fit", "tune", "test"),
    "lesions": ("fit", "tune", "domain", "test"),
    "pictures": ("fit", "tune", "test"),
}
"""Whose images a subject's banks hold."""
COMPOSED = (
    Entry("lesions", "composite", "compose/shards/{shard}.npy"),
    Entry("lesions", "refined", "refine/shards/{shard}.npy"),
)
CATALOGUE = {
    entry.name: entry
    for entry in (
        *(Entry(subject, role, f"banks/{subject}_{role}.npz") for subject, roles in ROLES.items() for role in roles),
        *(
            Entry(target, made, f"generate/{target}/{made}.npz")
            for target in DRAWN
            for made in ("generated", "selected")
        ),
        *COMPOSED,
    )
}
REAL = ("fit", "tune", "domain", "test")


def made_of(subject: str) -> tuple[Entry, ...]:
    """The sets of a subject that no scanner made, in the order in which they come about."""
    return tuple(entry for entry in CATALOGUE.values() if entry.subject == subject and entry.role not in REAL)


def of(chain: str) -> tuple[Entry, ...]:
    """All sets of a chain."""
    return tuple(entry for entry in CATALOGUE.values() if entry.subject in CHAINS[chain])


def banks(chain: str) -> tuple[Entry, ...]:
    """The sets of a chain that scanners made."""
    return tuple(entry for entry in of(chain) if entry.role in REAL)


def targets(chain: str) -> tuple[str, ...]:
    """The subjects of a chain that a generator draws."""
    return tuple(subject for subject in CHAINS[chain] if subject in DRAWN)


def extractors(chain: str) -> tuple[str, ...]:
    """The extractors of a chain, sorted."""
    return tuple(sorted({EXTRACTORS[subject] for subject in CHAINS[chain]}))
