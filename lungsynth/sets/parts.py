"""The part of a bank that a run learns from."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lungsynth.sets.bank import ImageSet
from lungsynth.study.errors import TrainingError
from lungsynth.study.runs import CLASS, Run, Subset
from lungsynth.study.seeds import rng as named_rng


def part_of(images: ImageSet, subset: Subset | None, seed: int) -> ImageSet:
    """The images that a run's subset names, see `rows_of`."""
    return images if subset is None else images.take(rows_of(images.table, subset, seed))


def rows_of(table: pd.DataFrame, subset: Subset, seed: int) -> np.ndarray:
    """The rows of a bank's table that a run's subset names, int [n], rising.

    Of equal seeds, a smaller count lies in a larger one.

    Raises:
        TrainingError: there are fewer than the subset's count, or none.
    """
    rows = np.arange(len(table))
    if subset.label is not None:
        rows = np.flatnonzero((table[CLASS] == subset.label).to_numpy())
    wanted = len(rows) if subset.count is None else subset.count
    if not 0 < wanted <= len(rows):
        which = "" if subset.label is None else f" of the class {subset.label!r}"
        raise TrainingError(f"the bank of real images holds {len(rows)}{which}, {max(wanted, 1)} are wanted")
    return np.sort(named_rng(seed, "subset", subset.label or "all").permutation(rows)[:wanted])


def rows_learnt(table: pd.DataFrame, runs: Sequence[Run], seed: int) -> np.ndarray:
    """The rows of a bank's table that any of these runs learns from, int [n], rising; all where there is no run."""
    every = np.arange(len(table))
    parts = [every if run.subset is None else rows_of(table, run.subset, seed) for run in runs]
    return np.unique(np.concatenate(parts)) if parts else every


def learnt_by(images: ImageSet, runs: Sequence[Run], seed: int) -> ImageSet:
    """Those of a bank that any of these runs learns from: against others a copy of one would pass for new."""
    rows = rows_learnt(images.table, runs, seed)
    return images if len(rows) == len(images) else images.take(rows)
