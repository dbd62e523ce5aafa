"""Recall: how much of the real is generated."""

from dataclasses import dataclass

import numpy as np

from lungsynth.features.neighbours import distances, radii
from lungsynth.score.metrics.precision import Precision
from lungsynth.score.registry import METRICS


@METRICS.register("recall")
@dataclass(frozen=True)
class Recall(Precision):
    """Share of reals that lie within the k-th-neighbour ball of some fake (Kynkäänniemi 2019, equation 2; `<=`, k =
    3)."""

    name = "recall"

    def contributions(self, real: np.ndarray, fake: np.ndarray, held_out: np.ndarray | None = None) -> np.ndarray:
        """1 for each real inside a ball of a fake, else 0."""
        return (distances(real, fake) <= radii(fake, self.k)).any(1).astype(float)
