"""What is scored against what: sets of one subject, held against the test patients' images of it."""

from dataclasses import dataclass

INCEPTION = "inception"


@dataclass(frozen=True)
class Subject:
    """A kind of image.

    Attributes:
        extractor: that sees it.
        train: the fit patients' bank that the generators learnt from, itself the set "real".
        reference: the test patients' bank.
        sets: name in the table -> name of the file that holds it.
    """

    extractor: str
    train: str
    reference: str
    sets: dict[str, str]


SUBJECTS = (
    Subject(
        "nodules",
        "nodules_fit",
        "nodules_test",
        {"real": "nodules_fit", "generated": "nodules_generated", "selected": "nodules_selected"},
    ),
    Subject(
        "slices",
        "normals_fit",
        "normals_test",
        {"real": "normals_fit", "generated": "normals_generated", "selected": "normals_selected"},
    ),
    Subject(
        "slices",
        "lesions_fit",
        "lesions_test",
        {"real": "lesions_fit", "composite": "composite", "refined": "refined"},
    ),
)


def seen_by(extractor: str) -> tuple[Subject, ...]:
    """The subjects that an extractor scores: its own; InceptionV3, which knows none of them, scores all."""
    return tuple(one for one in SUBJECTS if extractor in (one.extractor, INCEPTION))


def files_of(extractor: str) -> list[str]:
    """Names of all files behind an extractor's scores, sorted."""
    return sorted({name for one in seen_by(extractor) for name in (one.train, one.reference, *one.sets.values())})
