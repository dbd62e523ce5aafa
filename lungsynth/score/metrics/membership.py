"""Membership inference: whether the generated give away who was trained on."""

from dataclasses import dataclass

import numpy as np

from lungsynth.features.neighbours import nearest
from lungsynth.score.intervals import Interval, notes_of
from lungsynth.score.metric import Metric, check_points, too_few
from lungsynth.score.pairs import between_means
from lungsynth.score.registry import METRICS
from lungsynth.score.samples import Sample
from lungsynth.sets.resampling import draw_counts, percentile_interval


def wins(train: np.ndarray, held_out: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """1 where a training image is nearer to its nearest fake than a held-out image is to its own, .5 for ties: [n,
    m]."""
    seen, unseen = nearest(train, fake)[1][:, None], nearest(held_out, fake)[1][None]
    return (seen < unseen) + 0.5 * (seen == unseen)


@METRICS.register("membership")
@dataclass(frozen=True)
class Membership(Metric):
    """AUC of an attacker who calls an image trained on when a fake is near: score = -distance to the nearest fake;
    .5 means none."""

    name = "membership"
    reference = "both"
    higher_is_better = False
    least = 0.0
    greatest = 1.0

    def value(self, real: np.ndarray, fake: np.ndarray, held_out: np.ndarray | None = None) -> float:
        """The AUC; `real` are the training images, `held_out` images of other patients."""
        check_points(1, real=real, generated=fake, unseen=held_out)
        return float(wins(real, held_out, fake).mean())

    def interval(
        self,
        real: Sample,
        fake: Sample,
        held_out: Sample | None,
        rng: np.random.Generator,
        draws: int = 200,
        level: float = 0.95,
    ) -> Interval:
        """Bootstrap over the patients of both real sides; the fakes, which the attacker holds, stay as they are."""
        won = wins(real.points, held_out.points, fake.points)
        counts = draw_counts(real.n_units, draws, rng), draw_counts(held_out.n_units, draws, rng)
        low, high = percentile_interval(float(won.mean()), between_means(won, real, held_out, *counts), level)
        return Interval(max(0.0, low), min(1.0, high), f"bootstrap by patient, {draws} draws", notes_of(held_out))

    def warnings(self, n_real: int, n_fake: int, d: int) -> list[str]:
        """Fewer than 100 images on a side."""
        return too_few("training images", n_real, 100) + too_few("images", n_fake, 100)
