"""Intervals: patients are drawn again on the real side, images on the generated side.

How units are drawn again stands in `lungsynth.sets.resampling`.
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


def sum_by_unit(values: np.ndarray, sample: Sample) -> np.ndarray:
    """Sums over the images of each unit: [n, ...] -> [n_units, ...]."""
    if sample.n_units == len(values):
        return values[np.argsort(sample.units, kind="stable")]
    sums = np.zeros((sample.n_units, *values.shape[1:]))
    np.add.at(sums, sample.units, values)
    return sums


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
