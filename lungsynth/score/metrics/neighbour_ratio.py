"""Neighbour ratio: how much nearer the nearest training image is than the second."""

from dataclasses import dataclass

import numpy as np

from lungsynth.features.neighbours import distances
from lungsynth.score.metric import check_points
from lungsynth.score.metrics.authenticity import Authenticity
from lungsynth.score.registry import METRICS


@METRICS.register("neighbour_ratio")
@dataclass(frozen=True)
class NeighbourRatio(Authenticity):
    """Mean over fakes of d1 / d2, the distances to the nearest two training images; copies pull it to 0."""

    name = "neighbour_ratio"

    def contributions(self, real: np.ndarray, fake: np.ndarray, held_out: np.ndarray | None = None) -> np.ndarray:
        """d1 / d2 of each fake; 0, a copy's, where both are 0."""
        check_points(2, real=real)
        two = np.partition(distances(fake, real), 1, axis=1)[:, :2]
        return np.divide(two[:, 0], two[:, 1], out=np.zeros(len(fake)), where=two[:, 1] > 0)
