"""Density: how deep among the real the generated lie."""

from dataclasses import dataclass

import numpy as np

from lungsynth.features.neighbours import distances, radii
from lungsynth.score.metrics.precision import Precision
from lungsynth.score.registry import METRICS


@METRICS.register("density")
@dataclass(frozen=True)
class Density(Precision):
    """Mean over fakes of the number of k-th-neighbour balls of reals around it, over k (Naeem 2020, section 3.1; k =
    5)."""

    name = "density"
    greatest = float("inf")

    k: int = 5

    def contributions(self, real: np.ndarray, fake: np.ndarray, held_out: np.ndarray | None = None) -> np.ndarray:
        """Balls around each fake, over k."""
        return (distances(fake, real) <= radii(real, self.k)).sum(1) / self.k
