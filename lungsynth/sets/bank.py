"""Banks and generated sets: images and masks in one .npz, one row an image in the .csv beside it."""

import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lungsynth.ct.files import whole
from lungsynth.sets.tables import concatenate as join_tables
from lungsynth.sets.tables import read_csv, write_csv
from lungsynth.study.errors import DataError

PARTS = ("images", "masks", "mm_per_px")
LEVELS = (np.uint8, np.uint16)
"""Types of grey levels, which are kept; HU of any other type become int16."""


@dataclass(frozen=True)
class ImageSet:
    """Images with their masks and rows.

    Attributes:
        images: int16 HU [n, h, w]; pictures: grey levels, uint8 or uint16, [n, h, w], or [n, h, w, 3] in colour.
        masks: uint8 [n, h, w]: a nodule (1), lungs (1 right, 2 left) or lesions (k-th), as the set says; else 0.
        mm_per_px: size of a pixel; 1 of pictures, whose size nobody knows.
        table: one row an image, in the same order; `id` is unique.
    """

    images: np.ndarray
    masks: np.ndarray
    mm_per_px: float
    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.images)

    @property
    def channels(self) -> int:
        """Of an image: 3 in colour."""
        return 1 if self.images.ndim == 3 else self.images.shape[3]

    def take(self, rows: np.ndarray) -> "ImageSet":
        """The images at `rows` (indices or a bool array), in that order."""
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(int)
        return ImageSet(
            self.images[rows], self.masks[rows], self.mm_per_px, self.table.iloc[rows].reset_index(drop=True)
        )


def concatenate(sets: list[ImageSet]) -> ImageSet:
    """Several sets of one pixel size as one, in the given order."""
    sizes = {(one.mm_per_px, *one.images.shape[1:]) for one in sets}
    if len(sizes) != 1:
        raise DataError(f"sets of different pixel sizes or shapes cannot be joined: {sorted(sizes)}")
    types = {one.images.dtype for one in sets}
    if len(types) != 1 and types & set(map(np.dtype, LEVELS)):
        raise DataError(f"grey levels and other values cannot be joined: {', '.join(sorted(map(str, types)))}")
    return ImageSet(
        np.concatenate([one.images for one in sets]),
        np.concatenate([one.masks for one in sets]),
        sets[0].mm_per_px,
        join_tables(one.table for one in sets),
    )


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write a compressed .npz whose bytes depend on the arrays alone (numpy's own writes the time into the archive)."""
    with whole(path) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in sorted(arrays):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), zipfile.ZIP_DEFLATED, 1)


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """All arrays of an .npz; nothing pickled is opened.

    Raises:
        DataError: no such file, or not such an archive.
    """
    with _archive(path) as archive:
        return {name.removesuffix(".npy"): _array(archive, name) for name in archive.namelist()}


@contextmanager
def _archive(path: str | Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: cannot be read as a set of arrays ({error})") from None


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(name) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _rows(archive: zipfile.ZipFile, name: str, rows: Sequence[int]) -> tuple[np.ndarray, int]:
    """Some rows of an array in the archive, and how many it has; what lies between is unpacked and dropped."""
    with archive.open(name) as member:
        if np.lib.format.read_magic(member) != (1, 0):
            raise ValueError(f"{name} is of another version of the format")
        shape, by_column, dtype = np.lib.format.read_array_header_1_0(member)
        if by_column or dtype.hasobject:
            raise ValueError(f"{name} is not an array of numbers, row by row")
        first, size = member.tell(), int(np.prod(shape[1:])) * dtype.itemsize
        chosen = np.empty((len(rows), *shape[1:]), dtype)
        for place, row in enumerate(rows):
            member.seek(first + int(row) * size)
            chosen[place] = np.frombuffer(member.read(size), dtype).reshape(shape[1:])
    return chosen, shape[0]


def write(path: str | Path, one: ImageSet) -> None:
    """Write NAME.npz and NAME.csv; the same set gives the same bytes."""
    path, images = Path(path), one.images
    if not len(one.images) == len(one.masks) == len(one.table):
        raise ValueError(f"{len(one.images)} images, {len(one.masks)} masks, {len(one.table)} rows")
    write_csv(path.with_suffix(".csv"), one.table)
    write_arrays(
        path,
        images=images if images.dtype in LEVELS else images.astype(np.int16, copy=False),
        masks=one.masks.astype(np.uint8, copy=False),
        mm_per_px=np.float64(one.mm_per_px),
    )


def read(path: str | Path) -> ImageSet:
    """Read what `write` wrote.

    Raises:
        DataError: a file is missing, or rows and images do not match.
    """
    path = Path(path)
    with _archive(path) as archive:
        _check(path, archive)
        images, masks, mm_per_px = (_array(archive, f"{name}.npy") for name in PARTS)
    return ImageSet(images, masks, float(mm_per_px.item()), _table(path, len(images)))


def read_rows(path: str | Path, rows: Sequence[int]) -> ImageSet:
    """The images at `rows` (ascending) alone; the others never come into memory all at once.

    The index of the table tells which row of the file each image is.

    Raises:
        DataError: as `read`, or there is no such row.
    """
    path = Path(path)
    with _archive(path) as archive:
        _check(path, archive)
        table = _table(path, _rows(archive, "images.npy", [])[1])
        if len(rows) and max(rows) >= len(table):
            raise DataError(
                f"{path}: holds {len(table)} images, row {max(rows)} is wanted; files of two runs are mixed"
            )
        chosen = table.iloc[rows]
        images, masks = (_rows(archive, name, rows)[0] for name in ("images.npy", "masks.npy"))
        return ImageSet(images, masks, float(_array(archive, "mm_per_px.npy").item()), chosen)


def _check(path: Path, archive: zipfile.ZipFile) -> None:
    if missing := set(PARTS) - {name.removesuffix(".npy") for name in archive.namelist()}:
        raise DataError(f"{path}: is no set of images, it lacks {', '.join(sorted(missing))}")


def _table(path: Path, n_images: int) -> pd.DataFrame:
    table = read_csv(path.with_suffix(".csv"))
    if len(table) != n_images:
        raise DataError(f"{path}: {n_images} images but {len(table)} rows in the table beside it")
    return table
