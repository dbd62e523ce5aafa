"""Coverage: how much of the real has something generated beside it."""

from dataclasses import dataclass

import numpy as np

from lungsynth.features.neighbours import nearest, radii
from lungsynth.score.metrics.precision import Precision
from lungsynth.score.registry import METRICS


@METRICS.register("coverage")
@dataclass(frozen=True)
class Coverage(Precision):
    """Share of reals whose own k-th-neighbour ball holds a fake (Naeem 2020, section 3.2; k = 5)."""

    name = "coverage"

    k: int = 5

    def contributions(self, real: np.ndarray, fake: np.ndarray, held_out: np.ndarray | None = None) -> np.ndarray:
        """1 for each real with a fake in its ball, else 0."""
        return (nearest(real, fake)[1] <= radii(real, self.k)).astype(float)
