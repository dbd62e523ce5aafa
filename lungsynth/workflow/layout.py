"""Results that an older version laid out otherwise: said, and left alone."""

from pathlib import Path

from lungsynth.study.errors import StudyError

OLD = ("segment/state-0.pt", "generate/nodules/state-0.pt", "generate/normals/state-0.pt", "refine/state-0.pt")
"""Training states that stood in their stage's folder, before a training had a folder of its own."""


def refuse_old_results(study: str) -> None:
    """Refuse to go on in a folder of an older layout: old and new files would stand side by side.

    Raises:
        StudyError: names one of the old files. Nothing is deleted.
    """
    folder = Path("results", study)
    for name in OLD:
        if (folder / name).exists():
            raise StudyError(
                f"{folder}: was made by an older version ({name}); move it away, or give the study another name: "
                "nothing in it was changed"
            )
