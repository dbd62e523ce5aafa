"""Whole files or none: what is written appears under its name only when it is complete."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _draft(path: Path) -> Path:
    return path.parent / f".{path.name}.part"


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Yield a path of the same name in a hidden folder `.NAME.part`; rename all that was written there at the end.

    A writer that makes companions (.mhd and .raw, .npz and .csv) gets them moved together, the named file last, so
    that whoever sees it sees all of them. On an error nothing is left behind.
    """
    path = Path(path)
    draft = _draft(path)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft / path.name
        for made in sorted(draft.iterdir(), key=lambda file: (file.name == path.name, file.name)):
            os.replace(made, path.parent / made.name)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Yield a hidden empty folder that takes the place of `path` at the end, or vanishes on an error."""
    path = Path(path)
    draft = _draft(path)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        shutil.rmtree(path, ignore_errors=True)
        os.replace(draft, path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with whole(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write `data`, whole or not at all."""
    with whole(path) as draft:
        draft.write_bytes(data)
