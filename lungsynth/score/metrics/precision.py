"""Precision: how many of the generated look real."""

from dataclasses import dataclass

import numpy as np

from lungsynth.features.neighbours import distances, radii
from lungsynth.score.metric import MeanMetric, too_few
from lungsynth.score.registry import METRICS


@METRICS.register("precision")
@dataclass(frozen=True)
class Precision(MeanMetric):
    """Share of fakes that lie within the k-th-neighbour ball of some real (Kynkäänniemi 2019, equation 1; `<=`, k =
    3)."""

    name = "precision"
    higher_is_better = True
    least = 0.0
    greatest = 1.0

    k: int = 3

    def contributions(self, real: np.ndarray, fake: np.ndarray, held_out: np.ndarray | None = None) -> np.ndarray:
        """1 for each fake inside a ball of a real, else 0."""
        return (distances(fake, real) <= radii(real, self.k)).any(1).astype(float)

    def warnings(self, n_real: int, n_fake: int, d: int) -> list[str]:
        """Fewer than 200 images on a side, or unequal sides."""
        unequal = [f"{n_real} real and {n_fake} images: equal numbers wanted"] if n_real != n_fake else []
        return too_few("real images", n_real, 200) + too_few("images", n_fake, 200) + unequal
