"""Memorisation: whether the generated lie nearer to what was trained on than to what was not."""

from dataclasses import dataclass

import numpy as np

from lungsynth.features.neighbours import nearest
from lungsynth.score.metrics.authenticity import Authenticity
from lungsynth.score.registry import METRICS


@METRICS.register("memorisation")
@dataclass(frozen=True)
class Memorisation(Authenticity):
    """Share of fakes nearer to a training image than to any held-out image, at equal numbers of both; .5 means none."""

    name = "memorisation"
    reference = "both"
    higher_is_better = False

    def contributions(self, real: np.ndarray, fake: np.ndarray, held_out: np.ndarray | None = None) -> np.ndarray:
        """1 for each fake nearer to `real` (training) than to `held_out`, .5 where it is as near to both, else 0; the
        larger of the two is thinned evenly."""
        n = min(len(real), len(held_out))
        train, unseen = (side[np.arange(n) * len(side) // n] for side in (real, held_out))
        seen, not_seen = nearest(fake, train)[1], nearest(fake, unseen)[1]
        return (seen < not_seen) + 0.5 * (seen == not_seen)
