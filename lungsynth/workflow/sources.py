"""The user's scans as a trigger: their files are too many to be inputs of a rule, and what they are is for readers."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

SAMPLED_FILES, SAMPLED_BYTES = 64, 4096
"""The digest is paid at every parse: so many files are looked into at most, each in its middle."""
TEXTS, TEXT_BYTES, MOST_TEXT_BYTES = (".csv", ".xml", ".mhd", ".json"), 2**20, 2**25
"""Annotations and headers up to so many bytes are looked at whole, as long as all of them are not more than that."""
ARCHIVE_END = 2**18
"""Bytes at the end of a zip that are looked at: the directory there has the check sum of every member."""


def under_data(path: str) -> Path:
    """A path of the study's under LUNGSYNTH_DATA, which is `data` where the environment does not say."""
    return Path(os.environ.get("LUNGSYNTH_DATA", "data"), path)


def data_digest(sources: Iterable[Mapping[str, Any]]) -> str:
    """Digest of all files in the folders of the study's sources, by name and size, and by a sample of their bytes.

    A scan that is added or removed, or replaced by one of another size, changes it, and so does a mended table or
    header; the date of a file and the place of LUNGSYNTH_DATA do not. Another folder whose files have the same names
    and sizes, as two uncompressed scans may, differs in the sample. One image of many whose pixels change and whose
    size does not may pass.
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
    left = MOST_TEXT_BYTES
    for _, name, size in files:
        if size <= min(TEXT_BYTES, left) and name.lower().endswith(TEXTS):
            left -= size
            digest.update(_bytes(data_root / name, 0, size))
    step = -(-len(files) // SAMPLED_FILES) or 1
    for _, name, size in files[::step]:
        digest.update(_sample(data_root / name, size))
    return digest.hexdigest()[:16] if files else ""


def pictures_digest(path: str | None) -> str:
    """The same of the folder, or the zip, of a study's pictures; "" where it names none."""
    return data_digest([{"reader": "pictures", "path": path}]) if path else ""


def _files(root: Path) -> Iterator[str]:
    """All files under a folder, and those right in a folder that a link leads to: a reader may be sent there; a file
    is itself all of it."""
    if root.is_file():
        yield str(root)
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
    """The bytes in the middle of a file, where an image has its patient, and at the end of a zip; none of what cannot
    be read."""
    if path.suffix.lower() == ".zip":
        return _bytes(path, size - ARCHIVE_END, ARCHIVE_END)
    return _bytes(path, (size - SAMPLED_BYTES) // 2, SAMPLED_BYTES)


def _bytes(path: Path, start: int, count: int) -> bytes:
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                file.seek(max(0, start))
                return file.read(count)
    return b""
