"""The user's scans as a trigger: their files are too many to be inputs of a rule, and what they are is for readers."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def under_data(path: str) -> Path:
    """A path of the study's under LUNGSYNTH_DATA, which is `data` where the environment does not say."""
    return Path(os.environ.get("LUNGSYNTH_DATA", "data"), path)


def data_digest(sources: Iterable[Mapping[str, Any]]) -> str:
    """Digest of the names and sizes of all files in the folders of the study's sources; "" where no source has one.

    A scan that is added, removed or replaced changes it; the date of a file and the place of LUNGSYNTH_DATA do not.
    Links to folders are not followed, except where a source itself is one.

    Args:
        sources: of the cohort as the study has checked them: each but the phantom's has a `path`.
    """
    data_root = under_data("")
    files = [
        (index, os.path.relpath(Path(folder, name), data_root), Path(folder, name).lstat().st_size)
        for index, source in enumerate(sources)
        if source["reader"] != "phantom"
        for folder, _, names in os.walk(data_root / source["path"])
        for name in names
    ]
    return hashlib.sha256(repr(sorted(files)).encode()).hexdigest()[:16] if files else ""
