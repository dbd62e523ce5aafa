"""Inception score."""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import entr, softmax
from torchmetrics.image.inception import InceptionScore as TorchInceptionScore

from lungsynth.score.intervals import Interval
from lungsynth.score.metric import Metric, check_points, finite, too_few
from lungsynth.score.registry import METRICS
from lungsynth.score.samples import Sample
from lungsynth.sets.resampling import draw_counts, percentile_interval


def split_scores(probabilities: np.ndarray, splits: int, weights: np.ndarray) -> np.ndarray:
    """exp(mean KL(p(y|x) || p(y))) of contiguous splits under weights: [n, classes], [draws, n] -> [draws, splits].

    KL(p || m) averages to H(m) - mean H(p), so a draw needs two products.
    """
    scores = []
    for rows in np.array_split(np.arange(len(probabilities)), splits):
        part, weight = probabilities[rows], weights[:, rows]
        share = weight / np.maximum(weight.sum(1, keepdims=True), 1e-300)
        scores.append(np.exp(entr(share @ part).sum(1) - share @ entr(part).sum(1)))
    return np.stack(scores, axis=1)


@METRICS.register("inception_score")
@dataclass(frozen=True)
class InceptionScore(Metric):
    """IS = exp(mean over images of KL(p(y|x) || p(y))), the mean over `splits` parts of a shuffled set (Salimans
    2016, section 4).

    Computed by torchmetrics from logits in float64. It needs no reference and knows none: a set of one image a class
    scores the number of classes. Compare within one classifier only; the classes stand in the score's record.
    """

    name = "inception_score"
    sees = "logits"
    reference = "none"
    higher_is_better = True
    least = 1.0
    greatest = float("inf")  # the number of classes

    splits: int = 10
    seed: int = 0

    def mean_and_sd(self, logits: np.ndarray) -> tuple[float, float]:
        """Mean and standard deviation (n - 1) over the splits of logits [n, classes]; the sd is NaN for one split."""
        splits = min(self.splits, len(logits))
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")  # of the buffer's size, of the sd of one split
            torch.manual_seed(self.seed)  # torchmetrics shuffles by the global generator
            metric = TorchInceptionScore(feature=torch.nn.Identity().eval(), splits=splits, normalize=False)
            metric.update(torch.from_numpy(np.ascontiguousarray(logits, np.float64)))
            mean, deviation = metric.compute()
        return float(mean), float(deviation)

    def value(self, real: np.ndarray | None, fake: np.ndarray, held_out: np.ndarray | None = None) -> float:
        """The score of logits `fake` [n, classes]; the other arguments are not used."""
        check_points(1, generated=fake)
        return finite(self.mean_and_sd(fake)[0])

    def interval(
        self,
        real: Sample | None,
        fake: Sample,
        held_out: Sample | None,
        rng: np.random.Generator,
        draws: int = 200,
        level: float = 0.95,
    ) -> Interval:
        """Bootstrap over images (or patients, for a real set) within the same shuffled splits."""
        order = rng.permutation(len(fake))
        weights = draw_counts(fake.n_units, draws, rng)[:, fake.units][:, order]
        probabilities = softmax(fake.points, axis=1)[order]
        drawn = split_scores(probabilities, min(self.splits, len(fake)), weights).mean(1)
        low, high = percentile_interval(self.value(None, fake.points), drawn, level)
        return Interval(max(self.least, low), high, f"bootstrap, {draws} draws")

    def warnings(self, n_real: int, n_fake: int, d: int) -> list[str]:
        """Fewer than 50 images a split."""
        return too_few("images a split", n_fake // self.splits, 50)
