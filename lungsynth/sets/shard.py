"""Shards: many images streamed through three files, so that memory stays bounded."""

from pathlib import Path

import numpy as np
import pandas as pd

from lungsynth.ct.files import whole
from lungsynth.sets.tables import read_parquet, write_parquet
from lungsynth.study.errors import DataError


def save(path: Path, array: np.ndarray) -> None:
    """Write one array as .npy, whole or not at all."""
    with whole(path) as draft, draft.open("wb") as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def load(path: Path, mmap: bool = True) -> np.ndarray:
    """Read one array; it stays on disk where `mmap` is true.

    Raises:
        DataError: no such file, or it holds no array.
    """
    try:
        return np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as an array ({error})") from None


def files(stem: str | Path) -> dict[str, Path]:
    """The three files of a shard: images STEM.npy, masks STEM_masks.npy, rows STEM.parquet."""
    stem = Path(stem)
    return {
        "images": stem.with_name(stem.name + ".npy"),
        "masks": stem.with_name(stem.name + "_masks.npy"),
        "rows": stem.with_name(stem.name + ".parquet"),
    }


def write(stem: str | Path, images: np.ndarray, masks: np.ndarray, rows: pd.DataFrame) -> None:
    """Write int16 HU images [n, h, w], uint8 masks [n, h, w] and their rows (one a lesion or one an image)."""
    paths = files(stem)
    save(paths["images"], images.astype(np.int16, copy=False))
    save(paths["masks"], masks.astype(np.uint8, copy=False))
    write_parquet(paths["rows"], rows)


def read(stem: str | Path, mmap: bool = True) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Images, masks and rows of a shard; the arrays stay on disk where `mmap` is true."""
    paths = files(stem)
    return load(paths["images"], mmap), load(paths["masks"], mmap), read_parquet(paths["rows"])
