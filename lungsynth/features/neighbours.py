"""Nearest neighbours among features."""

import numpy as np
from scipy.spatial.distance import cdist

from lungsynth.study.errors import DataError


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Euclidean distances between all rows: [n, d], [m, d] -> float64 [n, m]."""
    return cdist(first, second)


def radii(points: np.ndarray, k: int) -> np.ndarray:
    """Distance of each row to its k-th nearest other row, float64 [n].

    Raises:
        DataError: no more than k rows.
    """
    if len(points) <= k:
        raise DataError(f"{len(points)} images have no {k}-th neighbour each, at least {k + 1} wanted")
    return np.partition(distances(points, points), k, axis=1)[:, k]  # the 0-th is the row itself


def nearest(points: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row the index of the nearest of `others` and its distance: int [n], float64 [n]."""
    apart = distances(points, others)
    index = apart.argmin(1)
    return index, apart[np.arange(len(points)), index]
