"""Authenticity: how many of the generated are no copies."""

from dataclasses import dataclass

import numpy as np

from lungsynth.features.neighbours import nearest, radii
from lungsynth.score.metric import MeanMetric, too_few
from lungsynth.score.registry import METRICS


@METRICS.register("authenticity")
@dataclass(frozen=True)
class Authenticity(MeanMetric):
    """Share of fakes farther from their nearest training image than that is from its own nearest other (Alaa 2022,
    section 3.3).

    Unseen real images score .5 to .7, not 1; a fall below that is copying.
    """

    name = "authenticity"
    reference = "train"
    higher_is_better = True
    least = 0.0
    greatest = 1.0

    def contributions(self, real: np.ndarray, fake: np.ndarray, held_out: np.ndarray | None = None) -> np.ndarray:
        """1 for each authentic fake, else 0; `real` are the training images."""
        index, distance = nearest(fake, real)
        return (distance > radii(real, 1)[index]).astype(float)

    def warnings(self, n_real: int, n_fake: int, d: int) -> list[str]:
        """Fewer than 100 images on a side."""
        return too_few("training images", n_real, 100) + too_few("images", n_fake, 100)
