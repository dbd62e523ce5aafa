"""From places with a probability each, of detectors that outline nothing, to candidates."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lungsynth.ct.shape import ball_mm3
from lungsynth.segment.inference.candidates import COLUMNS
from lungsynth.segment.inference.planes import Scan


def gathered(places_mm: np.ndarray, probability: np.ndarray, radius_mm: float) -> list[np.ndarray]:
    """Groups of places: the best one with all within `radius_mm` of it, then the best of the others with its own ...

    places_mm: [n, 3]; probability: [n]. Each group is indices, the best first; groups come in falling order.
    """
    order = np.argsort(-probability, kind="stable")
    free, groups = np.ones(len(order), bool), []
    for best in order:
        if free[best]:
            near = free & (((places_mm - places_mm[best]) ** 2).sum(1) <= radius_mm**2)
            free &= ~near
            groups.append(order[near[order]])
    return groups


def table_of_places(
    scan: Scan, index: np.ndarray, probability: Sequence[float], diameter_mm: Sequence[float] | None = None
) -> pd.DataFrame:
    """Candidates, see `Detected`.

    Args:
        index: float [n, 3] slice, row and column on the scan's grid; those beyond its edge are brought to it.
        diameter_mm: [n], of balls; None: not measured.
    """
    index = np.clip(index, 0, np.array(scan.volume.hu.shape) - 1)
    sizes = np.full(len(index), np.nan) if diameter_mm is None else np.asarray(diameter_mm, float)
    slices = np.ceil(sizes / scan.volume.spacing_mm[0])
    volumes = [ball_mm3(size) for size in sizes]
    values = [scan.name, np.arange(1, len(index) + 1), *scan.volume.to_mm(index).T]
    values += [np.asarray(probability, float), sizes, np.asarray(volumes, float), slices]
    return pd.DataFrame(dict(zip(COLUMNS, values, strict=True))).astype({"scan": str})
