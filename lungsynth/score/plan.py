"""What is scored against what: sets of one subject, held against the test patients' images of it."""

from dataclasses import dataclass

from lungsynth.sets.catalogue import CHAINS, EXTRACTORS, made_of

INCEPTION = "inception"
COMPARED_ROLES = ("generated", "selected", "fit", "test")
"""Sets of a target whose distributions are compared; the last is what the others are held against."""


@dataclass(frozen=True)
class Subject:
    """A kind of image.

    Attributes:
        extractor: that sees it.
        train: the fit patients' bank that the generators learnt from, itself the set "real".
        reference: the test patients' bank.
        sets: name in the table -> name in the catalogue.
    """

    extractor: str
    train: str
    reference: str
    sets: dict[str, str]


SUBJECTS = {
    subject: Subject(
        extractor,
        f"{subject}_fit",
        f"{subject}_test",
        {"real": f"{subject}_fit", **{entry.role: entry.name for entry in made_of(subject)}},
    )
    for subject, extractor in EXTRACTORS.items()
}


def seen_by(extractor: str, chain: str) -> tuple[Subject, ...]:
    """The subjects of a chain that an extractor scores: its own; InceptionV3, which knows none of them, scores all."""
    return tuple(
        one for subject, one in SUBJECTS.items() if subject in CHAINS[chain] and extractor in (one.extractor, INCEPTION)
    )


def files_of(extractor: str, chain: str) -> list[str]:
    """Names of all sets behind an extractor's scores, sorted."""
    seen = seen_by(extractor, chain)
    return sorted({name for one in seen for name in (one.train, one.reference, *one.sets.values())})
