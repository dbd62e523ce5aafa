"""Whole files or none: what is written appears under its name only when it is complete."""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lungsynth.study.errors import WriteError

REASONS = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the quota of disk space is used up; free some space",
    errno.EFBIG: "it is larger than a file may be here; raise the limit (ulimit -f) or take another file system",
    errno.EROFS: "the file system is read-only; take a folder where you may write",
    errno.EACCES: "the folder is read-only for you; give yourself the right to write, or take another folder",
    errno.EPERM: "the folder is read-only for you; give yourself the right to write, or take another folder",
    errno.EIO: "the disk does not keep what is written; look at its health",
}
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Only a writer meets these, so that their cause is known wherever they come up."""


def write_error(path: str | Path, error: OSError) -> WriteError:
    """What a person is told where a file cannot be written: the file, the system's reason, what to do."""
    reason = REASONS.get(error.errno, f"{error.strerror or error}; mend that")
    shown = re.sub(r"\.([^/]+)\.part/", r"\1/", str(path))  # its folder may be a draft too
    return WriteError(f"{shown}: cannot be written, {reason}, run again", error.errno)


def why_not_whole(path: Path, size: int, message: str = "") -> OSError | None:
    """The system's reason why a library could not write `size` bytes to `path`, where it did not hand that on.

    Taken from the library's `message`, or found out by writing as much in its place. None where that succeeds.
    """
    for number in REASONS:
        if os.strerror(number) in message:
            return OSError(number, os.strerror(number), str(path))
    try:
        path.write_bytes(bytes(size))
    except OSError as error:
        return error
    return None


@contextmanager
def _told(target: Path, draft: Path | None = None) -> Iterator[None]:
    """Turn the system's errors into one line on `target`; where a `draft` is named, errors on other files stay."""
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        elsewhere = draft and error.filename is not None and not str(error.filename).startswith(str(draft))
        if elsewhere and error.errno not in NO_ROOM:
            raise
        raise write_error(target, error) from error


def _begin(path: Path) -> Path:
    """The hidden folder of `path`, empty."""
    draft = path.parent / f".{path.name}.part"
    with _told(path):
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
    return draft


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Yield a path of the same name in a hidden folder `.NAME.part`; rename all that was written there at the end.

    A writer that makes companions (.mhd and .raw, .npz and .csv) gets them moved together, the named file last, so
    that whoever sees it sees all of them. On an error nothing is left behind.

    The writer must raise where a byte is lost. Python's own files do. Libraries that open files by themselves may not
    (`ct.proof`), nor does numpy's `tofile`, which forgets the last block: give them a buffer, and `write_bytes` that.

    Raises:
        WriteError: the system does not let it be written.
    """
    path = Path(path)
    draft = _begin(path)
    try:
        with _told(path, draft):
            yield draft / path.name
            for made in sorted(draft.iterdir(), key=lambda file: (file.name == path.name, file.name)):
                os.replace(made, path.parent / made.name)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Yield a hidden empty folder that takes the place of `path` at the end, or vanishes on an error.

    Raises:
        WriteError: the system does not let it be written.
    """
    path = Path(path)
    draft = _begin(path)
    try:
        yield draft
        with _told(path):
            shutil.rmtree(path, ignore_errors=True)
            os.replace(draft, path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def whole_folders(root: str | Path, *names: str) -> Iterator[Path]:
    """Yield a hidden folder with the empty sub-folders `names`; they take their places in `root` at the end.

    All vanish on an error.

    Raises:
        WriteError: the system does not let them be written.
    """
    root = Path(root)
    draft = _begin(root / names[0])
    try:
        with _told(root):
            for name in names:
                (draft / name).mkdir(parents=True)
        yield draft
        with _told(root):
            for name in names:
                shutil.rmtree(root / name, ignore_errors=True)
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(draft / name, root / name)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data`, whole or not at all."""
    with whole(path) as draft:
        draft.write_bytes(data)


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
