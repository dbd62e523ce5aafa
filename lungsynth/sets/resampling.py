"""Resampling by bootstrap: how often each unit (a patient, an image) is drawn, and the interval of what is drawn.

A draw gives each unit a whole number of copies. Statistics of all draws then come from a few matrix products on sums
over units, without copying an image.
"""

import numpy as np


def draw_counts(n_units: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Bootstrap draws as counts, float64 [draws, n_units]: how often each unit was drawn; every row sums to n_units."""
    return rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=draws).astype(np.float64)


def percentile_interval(value: float, drawn: np.ndarray, level: float) -> tuple[float, float]:
    """Percentiles of the draws, moved so that their mean is `value`: a resample has fewer distinct images, which
    biases some statistics (an entropy, say), and the interval must not inherit that."""
    tail = (1 - level) / 2
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, [tail, 1 - tail]) - drawn.mean()
    return float(value + low), float(value + high)
