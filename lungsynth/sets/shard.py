"""Shards: many images streamed through three files, so that memory stays bounded."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lungsynth.ct.files import whole
from lungsynth.sets.tables import read_parquet, write_parquet
from lungsynth.study.errors import DataError


def group_id(number: int) -> str:
    """The name of a group of nodules in tables for people."""
    return f"group-{number:05d}"


def save(path: Path, array: np.ndarray) -> None:
    """Write one array as .npy, whole or not at all."""
    array = np.ascontiguousarray(array)
    with whole(path) as draft, draft.open("wb") as file:
        # numpy's own writer takes C's buffer for this, and does not look whether its last block arrives.
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data)


def load(path: Path, mmap: bool = True) -> np.ndarray:
    """Read one array; it stays on disk where `mmap` is true.

    Raises:
        DataError: no such file, or it holds no array.
    """
    try:
        return np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as an array ({error})") from None


def sample_places(sizes: Sequence[int], most: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """(shard, image) of at most `most` images out of shards of the given sizes, in order; all where there are fewer.

    Shards of equal sizes and equal random numbers give equal places, so that two stages are looked at alike.
    """
    total = int(sum(sizes))
    chosen = np.arange(total) if total <= most else np.sort(rng.choice(total, most, replace=False))
    ends = np.cumsum(sizes)
    parts = np.searchsorted(ends, chosen, side="right")
    return [(int(part), int(row - (ends[part] - sizes[part]))) for part, row in zip(parts, chosen, strict=True)]


def sample(paths: Sequence[Path], most: int, rng: np.random.Generator) -> np.ndarray:
    """At most `most` images of all shards together, int16 HU [n, h, w]; the others are never read."""
    arrays = [load(path) for path in paths]
    places = sample_places([len(array) for array in arrays], most, rng)
    return np.stack([arrays[part][row] for part, row in places])


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
