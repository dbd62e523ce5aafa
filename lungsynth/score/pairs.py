"""Means over pairs of images: the kernel distance (KID), its draws, and the difference of two sets against one
reference."""

from collections.abc import Mapping, Sequence
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
    one = "first"
    return kid_differences(reference, second, {one: [first]}, {one: True}, rng, draws, level)[one]


def kid_differences(
    reference: Sample,
    against: Sample,
    sets: Mapping[str, Sequence[Sample]],
    pairs: Mapping[str, bool],
    rng: np.random.Generator,
    draws: int = 1000,
    level: float = 0.95,
) -> dict[str, Difference]:
    """KID(set) - KID(against) of several sets by name, all against one reference.

    Each draw takes the same reference patients for all of them, so that the reference's own term and its hard patients
    fall out; images are drawn for each set on their own, but where they are pairs.

    Args:
        sets: by name, the samples of one kind: its KID is the mean over them.
        pairs: by name, whether image i of each sample is image i of `against` after another treatment.
    """
    real_counts = _with_ones(draw_counts(reference.n_units, draws, rng))
    counts = _with_ones(draw_counts(against.n_units, draws, rng))
    base, found = _own_part(reference, against, real_counts, counts), {}
    for name, samples in sets.items():
        parts = []
        for one in samples:
            own = counts if pairs[name] else _with_ones(draw_counts(one.n_units, draws, rng))
            parts.append(_own_part(reference, one, real_counts, own))
        found[name] = _of_draws(np.mean(parts, axis=0) - base, reference, level)
    return found


def _with_ones(counts: np.ndarray) -> np.ndarray:
    """The draws behind the sample itself, in which each unit counts once."""
    return np.concatenate([np.ones((1, counts.shape[1])), counts])


def _own_part(reference: Sample, one: Sample, real_counts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The draws of a set's KID without the reference's own term, which falls out of differences."""
    between = between_means(kernel(reference.points, one.points), reference, one, real_counts, counts)
    return within_means(kernel(one.points, one.points), one, counts) - 2 * between


def _of_draws(drawn: np.ndarray, reference: Sample, level: float) -> Difference:
    """The first is the value, the others tell how sure it is."""
    value = float(drawn[0])
    if reference.one_patient:
        return Difference(value, OF_ONE_PATIENT.low, OF_ONE_PATIENT.high)
    return Difference(value, *percentile_interval(value, drawn[1:], level))
