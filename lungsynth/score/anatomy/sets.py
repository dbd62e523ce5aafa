"""Which slices of a set are measured: at most so many, by a seeded draw."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lungsynth.score.anatomy.table import Slices, measured
from lungsynth.score.samples import patients_of
from lungsynth.sets import bank, shard
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.tables import read_csv


def of_images(one: ImageSet, most: int, rng: np.random.Generator) -> Slices:
    """Slices of a set in memory; those of real patients keep their names for the intervals."""
    return _of(one.take(_places(len(one), most, rng)))


def of_bank(path: Path, most: int, rng: np.random.Generator) -> Slices:
    """The same of a bank or of a generated set on disk, of which no other slice is read."""
    return _of(bank.read_rows(path, _places(len(read_csv(path.with_suffix(".csv"))), most, rng)))


def _places(rows: int, most: int, rng: np.random.Generator) -> list[int]:
    return [row for _, row in shard.sample_places([rows], most, rng)]


def _of(one: ImageSet) -> Slices:
    return measured(one.images, one.mm_per_px, patients_of(one.table))


def of_shards(
    paths: Sequence[Path],
    mm_per_px: float,
    most: int,
    rng: np.random.Generator,
    kept: Sequence[np.ndarray] | None = None,
) -> Slices:
    """Slices of all shards together; equal random numbers take the same ones of composites and of refined images.

    kept: the places in each shard that count; all without it.
    """
    arrays = [shard.load(path) for path in paths]
    kept = [np.arange(len(array)) for array in arrays] if kept is None else kept
    places = shard.sample_places([len(places) for places in kept], most, rng)
    return measured([arrays[part][kept[part][row]] for part, row in places], mm_per_px)


def let_through(gate: Sequence[Path]) -> list[np.ndarray]:
    """The places in each shard that the gate released, from its tables of images."""
    tables = [read_csv(path) for path in gate]
    return [table.loc[table["keep"].astype(bool), "image"].to_numpy(int) for table in tables]
