"""Pictures of any size cut to equal squares by one filter."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from lungsynth.cohort.images.pictures import STAND_IN_MM
from lungsynth.cohort.names import unquoted
from lungsynth.cohort.pictures.listing import digest, read_pixels
from lungsynth.cohort.pictures.sources import Source, open_source
from lungsynth.sets.bank import ImageSet
from lungsynth.study.errors import DataError
from lungsynth.study.stages.pictures import Pictures

RESIZE = "bicubic in float32, as wide as the shrinkage, clipped to the levels"


def square(values: np.ndarray, settings: Pictures) -> np.ndarray:
    """The middle square of a picture, or all of it with black beside it, at `settings.size_px`.

    Pillow's bicubic filter in float32, whose support grows with the shrinkage, so that nothing aliases (Parmar 2022);
    what swings over the darkest or the brightest level is cut off.

    Args:
        values: uint8 or uint16 [h, w] or [h, w, 3].

    Returns:
        The same type, [size_px, size_px] or [size_px, size_px, 3].
    """
    fitted = _crop if settings.fit == "crop" else _pad
    planes = values[..., None] if values.ndim == 2 else values
    made = [fitted(planes[..., k].astype(np.float32), settings.size_px) for k in range(planes.shape[2])]
    levels = np.clip(np.rint(np.stack(made, -1)), 0, np.iinfo(values.dtype).max).astype(values.dtype)
    return levels[..., 0] if values.ndim == 2 else levels


def _crop(plane: np.ndarray, size: int) -> np.ndarray:
    """The middle square; where it cannot be in the middle, half a pixel above or left of it."""
    side = min(plane.shape)
    top, left = ((n - side) // 2 for n in plane.shape)
    return _resize(plane[top : top + side, left : left + side], size, size)


def _pad(plane: np.ndarray, size: int) -> np.ndarray:
    """The plane in the middle of a black square.

    The longer side is resized first, which gives the same and spares a square of it in memory.
    """
    rows, columns = plane.shape
    if rows > columns:
        return _pad(plane.T, size).T
    above = (columns - rows) // 2
    narrow = _resize(plane, rows, size)
    return _resize(np.pad(narrow, ((above, columns - rows - above), (0, 0))), size, size)


def _resize(plane: np.ndarray, rows: int, columns: int) -> np.ndarray:
    picture = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    return np.asarray(picture.resize((columns, rows), Image.Resampling.BICUBIC))


def read_square(root: Path, row: Mapping[str, Any], settings: Pictures) -> np.ndarray:
    """The square of one row of `Listed.table`.

    Raises:
        DataError: the picture is not what was listed.
    """
    with open_source(root, settings.classes) as source:
        return _read(source, row, settings)


def read_all(
    root: Path, table: pd.DataFrame, settings: Pictures, bar: Callable[[Iterable], Iterable] = iter
) -> np.ndarray:
    """The squares of all rows in their order: uint8 or uint16 [n, size_px, size_px], or uint8 [n, size_px, size_px, 3].

    Raises:
        DataError: a picture is not what was listed.
    """
    shape = (settings.size_px,) * 2 + ((3,) if settings.channels == 3 else ())
    squares = np.empty((len(table), *shape), np.uint8 if settings.bits == 8 else np.uint16)
    with open_source(root, settings.classes) as source:
        for place, row in enumerate(bar(table.to_dict("records"))):
            squares[place] = _read(source, row, settings)
    return squares


def cut(root: Path, table: pd.DataFrame, settings: Pictures, bar: Callable[[Iterable], Iterable] = iter) -> ImageSet:
    """A bank of the rows of `Listed.table`: grey levels, no masks, and a pixel size that means nothing.

    Raises:
        DataError: a picture is not what was listed.
    """
    images = read_all(root, table, settings, bar)
    rows = table[["id", "patient"]].assign(scan="", **{name: table[name] for name in ("class", "file")}, source="scan")
    return ImageSet(images, np.zeros(images.shape[:3], np.uint8), STAND_IN_MM, rows.reset_index(drop=True))


def _read(source: Source, row: Mapping[str, Any], settings: Pictures) -> np.ndarray:
    """One square; the picture must have the pixels that were listed."""
    file, found = unquoted(row["file"]), ""
    try:
        if file in source.classes:
            found = digest(values := read_pixels(source, file, settings))
    except DataError:
        found = ""
    if found != row["sha256"]:
        raise DataError(f"{source.root}: {row['file']} was changed or removed after it was listed; list again")
    return square(values, settings)
