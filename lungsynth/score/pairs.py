"""Means over pairs of images: the kernel distance (KID), its draws, and the difference of two sets against one
reference."""

from dataclasses import dataclass

import numpy as np

from lungsynth.score.intervals import OF_ONE_PATIENT, sum_by_unit
from lungsynth.score.samples import Sample
from lungsynth.sets.resampling import draw_counts, percentile_interval


@dataclass(frozen=True)
class Difference:
    """A paired difference `value` (first minus second) with its interval, and whether that leaves out 0."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """True where the two differ by more than resampling explains."""
        return self.low > 0 or self.high < 0


def kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The cubic kernel of KID, (x.y / d + 1)^3, between all rows: [n, d], [m, d] -> float64 [n, m]."""
    return (first @ second.T / first.shape[1] + 1) ** 3


def _block_sums(kernel: np.ndarray, rows: Sample, columns: Sample) -> np.ndarray:
    """Sums of a kernel matrix over pairs of units: [n, m] -> [units of rows, units of columns]."""
    return sum_by_unit(sum_by_unit(kernel, rows).T, columns).T


def within_means(kernel: np.ndarray, sample: Sample, counts: np.ndarray) -> np.ndarray:
    """Off-diagonal mean of a kernel matrix for each draw, float64 [draws].

    A patient who was drawn twice counts twice, but the pairs between the two copies are left out: they hold an image
    and itself, which no sample from the world would, and would push a KID up by about k(x, x) / n.
    """
    blocks = _block_sums(kernel, sample, sample)
    own = np.diag(blocks)
    itself = sum_by_unit(np.diag(kernel).copy(), sample)
    sizes = np.bincount(sample.units).astype(float)
    squares = counts**2
    total = ((counts @ blocks) * counts).sum(1) - squares @ own + counts @ (own - itself)
    pairs = (counts @ sizes) ** 2 - squares @ sizes**2 + counts @ (sizes**2 - sizes)
    return np.divide(total, pairs, out=np.full(len(counts), np.nan), where=pairs > 0)


def between_means(
    kernel: np.ndarray, rows: Sample, columns: Sample, row_counts: np.ndarray, column_counts: np.ndarray
) -> np.ndarray:
    """Plain mean of a kernel matrix between two samples for each draw, float64 [draws]."""
    blocks = _block_sums(kernel, rows, columns)
    total = ((row_counts @ blocks) * column_counts).sum(1)
    n_rows = row_counts @ np.bincount(rows.units)
    n_columns = column_counts @ np.bincount(columns.units)
    return total / (n_rows * n_columns)


def kernel_distances(real: Sample, fake: Sample, real_counts: np.ndarray, fake_counts: np.ndarray) -> np.ndarray:
    """Unbiased squared MMD for each draw, float64 [draws]; counts of one give the value of the samples themselves."""
    return (
        within_means(kernel(real.points, real.points), real, real_counts)
        + within_means(kernel(fake.points, fake.points), fake, fake_counts)
        - 2 * between_means(kernel(real.points, fake.points), real, fake, real_counts, fake_counts)
    )


def paired_kid_difference(
    reference: Sample,
    first: Sample,
    second: Sample,
    rng: np.random.Generator,
    draws: int = 1000,
    level: float = 0.95,
) -> Difference:
    """KID(first) - KID(second) against one reference, image i of `first` being image i of `second` after a treatment.

    Each draw takes the same reference patients and the same images on both sides, so what the two share (the
    reference's own term, hard images) falls out, and a small difference shows. There are no bounds (NaN) where the
    reference is one patient.

    Raises:
        ValueError: the two sets are not paired.
    """
    if len(first) != len(second) or not np.array_equal(first.units, second.units):
        raise ValueError(f"not paired: {len(first)} and {len(second)} images")
    real_counts = draw_counts(reference.n_units, draws, rng)
    counts = draw_counts(first.n_units, draws, rng)
    real_counts = np.concatenate([np.ones((1, reference.n_units)), real_counts])
    counts = np.concatenate([np.ones((1, first.n_units)), counts])
    terms = [
        within_means(kernel(one.points, one.points), one, counts)
        - 2 * between_means(kernel(reference.points, one.points), reference, one, real_counts, counts)
        for one in (first, second)
    ]
    drawn = terms[0] - terms[1]
    low, high = percentile_interval(float(drawn[0]), drawn[1:], level)
    if reference.one_patient:
        return Difference(float(drawn[0]), OF_ONE_PATIENT.low, OF_ONE_PATIENT.high)
    return Difference(float(drawn[0]), low, high)
