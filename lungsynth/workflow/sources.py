"""The user's scans as a trigger: their files are too many to be inputs of a rule, and what they are is for readers."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

SAMPLED_FILES, SAMPLED_BYTES = 64, 4096
"""The digest is paid at every parse: so many files are looked into at most, each in its middle."""


def under_data(path: str) -> Path:
    """A path of the study's under LUNGSYNTH_DATA, which is `data` where the environment does not say."""
    return Path(os.environ.get("LUNGSYNTH_DATA", "data"), path)


def data_digest(sources: Iterable[Mapping[str, Any]]) -> str:
    """Digest of all files in the folders of the study's sources, by name and size, and by a sample of their bytes.

    A scan that is added, removed or replaced changes it; the date of a file and the place of LUNGSYNTH_DATA do not.
    Another folder whose files have the same names and sizes, as two uncompressed scans may, differs in the sample.
    Links to folders are not followed beyond the files in them, except where a source itself is one. "" without a file.

    Args:
        sources: of the cohort as the study has checked them: each but the phantom's has a `path`.
    """
    data_root = under_data("")
    files = sorted(
        (index, os.path.relpath(path, data_root), _size(path))
        for index, source in enumerate(sources)
        if source["reader"] != "phantom"
        for path in _files(data_root / source["path"])
    )
    digest = hashlib.sha256(repr(files).encode())
    step = -(-len(files) // SAMPLED_FILES) or 1
    for _, name, size in files[::step]:
        digest.update(_sample(data_root / name, size))
    return digest.hexdigest()[:16] if files else ""


def _files(root: Path) -> Iterator[str]:
    """All files under a folder, and those right in a folder that a link leads to: a reader may be sent there."""
    for folder, folders, names in os.walk(root):
        yield from (os.path.join(folder, name) for name in names)
        for linked in filter(os.path.islink, (os.path.join(folder, name) for name in folders)):
            with suppress(OSError), os.scandir(linked) as inside:
                yield from (entry.path for entry in inside if not entry.is_dir())


def _size(path: str) -> int:
    """Bytes of a file, of what it links to if it is a link; of the link itself if that leads nowhere."""
    try:
        return os.stat(path).st_size
    except OSError:
        return os.lstat(path).st_size


def _sample(path: Path, size: int) -> bytes:
    """The bytes in the middle of a file, where an image has its patient; none of what cannot be read."""
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                file.seek(max(0, (size - SAMPLED_BYTES) // 2))
                return file.read(SAMPLED_BYTES)
    return b""
