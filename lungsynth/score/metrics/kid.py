"""Kernel inception distance."""

from dataclasses import dataclass

import numpy as np

from lungsynth.score.intervals import Interval, notes_of
from lungsynth.score.metric import Metric, check_points, finite, too_few
from lungsynth.score.pairs import kernel_distances
from lungsynth.score.registry import METRICS
from lungsynth.score.samples import Sample
from lungsynth.sets.resampling import draw_counts, percentile_interval


@METRICS.register("kid")
@dataclass(frozen=True)
class Kid(Metric):
    """KID = mean k(x, x') + mean k(y, y') - 2 mean k(x, y), k(x, y) = (x.y / d + 1)^3 (Binkowski 2018, section 4).

    The full form: means over all pairs of different images, all images of both sides, however many; no random
    subsets, so no seed. At equal n it is torchmetrics' number for one subset of all images. Unbiased: real against
    real averages 0, and single values can be negative. Not scale invariant: extractors give standardised features.
    """

    name = "kid"
    higher_is_better = False
    least = float("-inf")
    greatest = float("inf")

    def value(self, real: np.ndarray, fake: np.ndarray, held_out: np.ndarray | None = None) -> float:
        """The distance of two sets of features, at least 2 images each."""
        check_points(2, real=real, generated=fake)
        first, second = Sample.of(real), Sample.of(fake)
        ones = np.ones((1, len(real))), np.ones((1, len(fake)))
        return finite(float(kernel_distances(first, second, *ones)[0]))

    def interval(
        self,
        real: Sample,
        fake: Sample,
        held_out: Sample | None,
        rng: np.random.Generator,
        draws: int = 200,
        level: float = 0.95,
    ) -> Interval:
        """Bootstrap over the patients of `real` and the images of `fake`; pairs of copies are left out."""
        counts = draw_counts(real.n_units, draws, rng), draw_counts(fake.n_units, draws, rng)
        drawn = kernel_distances(real, fake, *counts)
        low, high = percentile_interval(self.value(real.points, fake.points), drawn, level)
        return Interval(low, high, f"bootstrap by patient and by image, {draws} draws", notes_of(real))

    def warnings(self, n_real: int, n_fake: int, d: int) -> list[str]:
        """Fewer than 100 images on a side."""
        return too_few("real images", n_real, 100) + too_few("images", n_fake, 100)
