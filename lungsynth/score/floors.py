"""The floor beside a number: what real images score against other real images, with the same extractor and at equal
n."""

from dataclasses import dataclass

import numpy as np

from lungsynth.score.metric import Metric
from lungsynth.score.samples import Sample

LEAST = 8


@dataclass(frozen=True)
class Floor:
    """What real against held-out real gives.

    Attributes:
        value: mean over the random halves.
        sd: their standard deviation; NaN for one.
        n: images a side.
        value_at_n: the set itself against the same halves at the same n, mean over the halves: what `value` compares
            with where a metric depends on n. None where the floor was not made of halves.
        note: how it was made, where that limits it.
    """

    value: float
    sd: float
    n: int
    value_at_n: float | None = None
    note: str = ""


def halves(sample: Sample, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two disjoint sets of rows with no patient in both, `n` images each or as many as the smaller half has."""
    order = rng.permutation(sample.n_units)
    first = np.isin(sample.units, order[: sample.n_units // 2])
    sides = np.flatnonzero(first), np.flatnonzero(~first)
    n = min(n, *map(len, sides))
    return tuple(np.sort(rng.choice(side, n, replace=False)) for side in sides)


def of_halves(
    metric: Metric, reference: Sample, fake: Sample, rng: np.random.Generator, repeats: int = 10
) -> Floor | None:
    """The floor of a metric from random halves of the reference, split by patient; None where a half is too small to
    score.

    At equal n: as many images a side as both halves have, never more than the set or the reference offers.
    """
    wanted = min(len(reference), len(fake))
    real, generated, sizes = [], [], []
    for _ in range(repeats):
        one, other = halves(reference, wanted, rng)
        if len(one) < LEAST:
            continue
        real.append(metric.value(reference.points[one], reference.points[other]))
        some = np.sort(rng.choice(len(fake), len(one), replace=False))
        generated.append(metric.value(reference.points[one], fake.points[some]))
        sizes.append(len(one))
    note = "floor: halves of the reference" + (", split by image" if reference.by_image else "")
    return _floor(real, generated, sizes, note)


def of_others(
    metric: Metric, reference: Sample, others: Sample, fake: Sample, rng: np.random.Generator, repeats: int = 10
) -> Floor | None:
    """The floor from real images of other patients: random halves of them, split by patient, against the whole
    reference.

    The set's own n and the set's own reference, so that value and floor compare as they stand; where a half of the
    others holds fewer images than the set, `value_at_n` is the set thinned to as many.
    """
    real, generated, sizes = [], [], []
    for _ in range(repeats):
        some, _ = halves(others, len(fake), rng)
        if len(some) < LEAST:
            continue
        real.append(metric.value(reference.points, others.points[some]))
        sizes.append(len(some))
        if len(some) < len(fake):
            thinned = np.sort(rng.choice(len(fake), len(some), replace=False))
            generated.append(metric.value(reference.points, fake.points[thinned]))
    note = "floor: real images of other patients" + (", split by image" if others.by_image else "")
    return _floor(real, generated, sizes, note)


def _floor(real: list[float], generated: list[float], sizes: list[int], note: str) -> Floor | None:
    """Mean and sd over the halves; None where no half was large enough."""
    if not real:
        return None
    sd = float(np.std(real, ddof=1)) if len(real) > 1 else float("nan")
    at_n = float(np.mean(generated)) if generated else None
    return Floor(float(np.mean(real)), sd, int(np.median(sizes)), at_n, note)


def of_metric(
    metric: Metric,
    reference: Sample | None,
    fake: Sample,
    held_out: Sample | None,
    rng: np.random.Generator,
    repeats: int = 10,
    others: Sample | None = None,
) -> Floor | None:
    """The floor that fits a metric.

    - against held-out real: real images of `others` (other patients) against the reference, or else halves of the
    reference;
    - against the training images: what held-out real images score against them;
    - against both: .5, what a set that knows neither scores;
    - without a reference (inception score): what real images themselves score, thinned to the set's n.
    """
    if metric.reference == "held_out":
        if others is not None:
            return of_others(metric, reference, others, fake, rng, repeats)
        return of_halves(metric, reference, fake, rng, repeats)
    if metric.reference == "both":
        return Floor(0.5, 0.0, len(fake), None, "floor: chance")
    unseen = held_out if metric.reference == "train" else reference
    if unseen is None:
        return None
    values = []
    n = min(len(unseen), len(fake))
    for _ in range(repeats if n < len(unseen) else 1):
        some = np.sort(rng.choice(len(unseen), n, replace=False))
        values.append(metric.value(None if metric.reference == "none" else reference.points, unseen.points[some]))
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return Floor(float(np.mean(values)), sd, n, None, "floor: what real held-out images score")
