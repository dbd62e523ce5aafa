"""Intervals: patients are drawn again on the real side, images on the generated side.

Resampling is written as counts: a draw gives each unit (patient or image) a whole number of copies. Statistics of
all draws then come from a few matrix products on sums over units, without copying a feature.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from lungsynth.score.samples import Sample

FEW_PATIENTS = 10


@dataclass(frozen=True)
class Interval:
    """`low` to `high` at the stated level; `method` and `notes` say how it was made and what limits it."""

    low: float
    high: float
    method: str
    notes: tuple[str, ...] = ()


OF_ONE_PATIENT = Interval(float("nan"), float("nan"), "none", ("the reference has one patient: no interval",))
"""His images say how he varies and not how patients do."""


def draw_counts(n_units: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Bootstrap draws as counts, float64 [draws, n_units]: how often each unit was drawn; every row sums to n_units."""
    return rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=draws).astype(np.float64)


def sum_by_unit(values: np.ndarray, sample: Sample) -> np.ndarray:
    """Sums over the images of each unit: [n, ...] -> [n_units, ...]."""
    if sample.n_units == len(values):
        return values[np.argsort(sample.units, kind="stable")]
    sums = np.zeros((sample.n_units, *values.shape[1:]))
    np.add.at(sums, sample.units, values)
    return sums


def percentile_interval(value: float, drawn: np.ndarray, level: float) -> tuple[float, float]:
    """Percentiles of the draws, moved so that their mean is `value`: a resample has fewer distinct images, which
    biases some statistics (an entropy, say), and the interval must not inherit that."""
    tail = (1 - level) / 2
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, [tail, 1 - tail]) - drawn.mean()
    return float(value + low), float(value + high)


def notes_of(real: Sample) -> tuple[str, ...]:
    """What limits an interval: a reference of one patient, or of few."""
    if real.by_image:
        return ("the reference has one patient or none named: interval over images",)
    if real.n_units < FEW_PATIENTS:
        return (f"the reference has {real.n_units} patients: the interval is rough",)
    return ()


def groups_of(sample: Sample, most: int, rng: np.random.Generator) -> np.ndarray:
    """Which group each image is deleted with, int [n]: its unit, or one of `most` random groups of units where there
    are more."""
    if sample.n_units <= most:
        return sample.units
    return (rng.permutation(sample.n_units) % most)[sample.units]


def jackknife_variance(replicates: np.ndarray) -> float:
    """(g - 1) / g times the sum of squares of the leave-one-group-out values about their mean (Efron & Stein 1981)."""
    g = len(replicates)
    return float((g - 1) / g * np.square(replicates - replicates.mean()).sum())


def jackknife_interval(
    value: float, real: np.ndarray, fake: np.ndarray, level: float, least: float, greatest: float = np.inf
) -> tuple[float, float]:
    """value +- t s, with the variances of the two sides added and Welch's degrees of freedom; kept inside the
    statistic's range.

    Args:
        value: the statistic of all.
        real: leave-one-patient-out values.
        fake: leave-one-group-of-images-out values.
        level: for example 0.95.
        least, greatest: range of the statistic.
    """
    parts = [(jackknife_variance(side), len(side) - 1) for side in (real, fake)]
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return value, value
    freedom = variance**2 / sum(part**2 / groups for part, groups in parts if part)
    reach = float(student.ppf(0.5 + level / 2, freedom)) * variance**0.5
    return max(least, value - reach), min(greatest, value + reach)
