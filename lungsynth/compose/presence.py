"""Where nodules occur: a map over the boxes of the two lungs, from which group members get their places (C9)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from lungsynth.ct.lungbox import SIDES
from lungsynth.sets.bank import write_arrays
from lungsynth.study.errors import DataError
from lungsynth.study.stages.compose import Presence


@dataclass(frozen=True)
class PresenceMap:
    """Probability of each bin, float64 [2, bins, bins] (side, v, u), summing to 1; side 0 is the right lung.

    v and u are the place in the lung's box (`ct.lungbox`): v to the back, u to the patient's left.
    """

    probability: np.ndarray

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """n places: side (1 right, 2 left), u and v in [0, 1], uniform inside a bin."""
        bins = self.probability.shape[1]
        flat = rng.choice(self.probability.size, size=n, p=self.probability.ravel())
        side, row, column = np.unravel_index(flat, self.probability.shape)
        jitter = rng.random((2, n))
        return np.asarray(SIDES)[side], (column + jitter[0]) / bins, (row + jitter[1]) / bins


def presence_map(nodules: pd.DataFrame, settings: Presence) -> PresenceMap:
    """Histogram of real nodule centres, smoothed by a Gaussian, mixed with a uniform map.

    nodules: rows of a bank with scan, nodule, side (1, 2; 0 is left out), u, v. A nodule weighs the same whether few
    slices cut it or many. Smoothing reflects at the box's border, so that no probability leaves it.

    Raises:
        DataError: no row says where in a lung it lies.
    """
    placed = nodules[nodules["side"].isin(SIDES)]
    if placed.empty:
        raise DataError("no nodule of the bank has a place in a lung: the presence map needs scans with lungs")
    counts = np.zeros((2, settings.bins, settings.bins))
    weight = 1 / placed.groupby(["scan", "nodule"])["u"].transform("size").to_numpy(float)
    index = [np.minimum((placed[name].to_numpy(float) * settings.bins).astype(int), settings.bins - 1) for name in "vu"]
    np.add.at(counts, (placed["side"].to_numpy(int) - 1, *index), weight)
    sigma = settings.sigma * settings.bins
    smooth = ndimage.gaussian_filter(counts, (0, sigma, sigma), mode="reflect")
    mixed = (1 - settings.uniform) * smooth / smooth.sum() + settings.uniform / smooth.size
    return PresenceMap(mixed / mixed.sum())


def write(path: str | Path, presence: PresenceMap) -> None:
    """Write the map as .npz."""
    write_arrays(Path(path), probability=presence.probability)
