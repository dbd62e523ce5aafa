"""Fréchet inception distance."""

from dataclasses import dataclass

import numpy as np
import torch
from torchmetrics.image.fid import FrechetInceptionDistance

from lungsynth.score.intervals import Interval, groups_of, jackknife_interval, notes_of
from lungsynth.score.metric import Metric, check_points, finite, too_few
from lungsynth.score.registry import METRICS
from lungsynth.score.samples import Sample


class GivenFeatures(torch.nn.Module):
    """Hands features through to torchmetrics, so that they are computed once for all metrics."""

    def __init__(self, num_features: int):
        super().__init__()
        self.num_features = num_features

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """[n, d] -> [n, d]."""
        return features


def root(covariance: np.ndarray) -> np.ndarray:
    """Symmetric square root of a covariance [d, d]; eigenvalues below 0 by rounding count as 0."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def frechet(mean: np.ndarray, covariance: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    """Fréchet distances of one normal distribution to several: [d], [d, d], [g, d], [g, d, d] -> float64 [g].

    tr (S1 S2)^(1/2) is the sum of the roots of the eigenvalues of S1^(1/2) S2 S1^(1/2): symmetric, so no complex
    numbers appear and fewer images than features do no harm.
    """
    half = root(covariance)
    eigenvalues = np.linalg.eigvalsh(half @ covariances @ half)
    # What rounding leaves of an eigenvalue of 0 has a root a hundred million times as large.
    noise = len(mean) * np.finfo(float).eps * eigenvalues.max(1, keepdims=True)
    eigenvalues = np.where(eigenvalues > noise, eigenvalues, 0)
    traces = np.trace(covariance) + np.trace(covariances, axis1=1, axis2=2)
    return np.square(means - mean).sum(1) + traces - 2 * np.sqrt(eigenvalues).sum(1)


def moments(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [d] and covariance [d, d] (n - 1) of rows [n, d]."""
    return points.mean(0), np.atleast_2d(np.cov(points, rowvar=False))


def leave_one_out_moments(points: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means [g, d] and covariances [g, d, d] with each group of rows left out, from sums alone."""
    centre = points.mean(0)
    moved = points - centre
    n_groups = int(groups.max()) + 1
    members = np.zeros((n_groups, len(points)))
    members[groups, np.arange(len(points))] = 1
    n = len(points) - members.sum(1)
    means = -(members @ moved) / n[:, None]  # the sum of all rows is 0
    products = moved.T @ moved - np.einsum("gn,ni,nj->gij", members, moved, moved, optimize=True)
    outer = means[:, :, None] * means[:, None, :]
    return means + centre, (products - n[:, None, None] * outer) / (n - 1)[:, None, None]


def centred(points: np.ndarray) -> np.ndarray:
    """Rows [n, d] minus their mean, over sqrt(n - 1): X with X^T X the covariance."""
    return (points - points.mean(0)) / np.sqrt(len(points) - 1)


def frechet_of_few(first: np.ndarray, second: np.ndarray) -> float:
    """The Fréchet distance of features [n, d] and [m, d] where images are fewer than features, as InceptionV3's are.

    With S1 = X^T X and S2 = Y^T Y, tr (S1 S2)^(1/2) is the sum of the singular values of X Y^T, [n, m] instead of
    [d, d]: exact, hundreds of times quicker at d = 2048, and without the noise of a singular product's eigenvalues.
    """
    x, y = centred(first), centred(second)
    common = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    gap = np.square(first.mean(0) - second.mean(0)).sum()
    return float(gap + np.square(x).sum() + np.square(y).sum() - 2 * common)


def frechets_left_out(points: np.ndarray, groups: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Fréchet distances [g] of `other` to `points` with each group of rows left out."""
    if min(len(points), len(other)) < points.shape[1]:
        return np.array([frechet_of_few(points[groups != group], other) for group in range(int(groups.max()) + 1)])
    return frechet(*moments(other), *leave_one_out_moments(points, groups))


@METRICS.register("fid")
@dataclass(frozen=True)
class Fid(Metric):
    """FID = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), covariances with n - 1, in float64 (Heusel 2017, equation 6).

    Computed by torchmetrics where there are as many images as features. Biased upwards by about d (d + 5) / (2 n) at
    small n, so it is read against its floor and compared at equal n only.
    """

    name = "fid"
    higher_is_better = False
    least = 0.0
    greatest = float("inf")

    groups: int = 40

    def value(self, real: np.ndarray, fake: np.ndarray, held_out: np.ndarray | None = None) -> float:
        """The distance of two sets of features, at least 2 images each; by `frechet_of_few` below d images a side."""
        check_points(2, real=real, generated=fake)
        # Of a product of covariances that is not finite LAPACK gives no eigenvalues; some builds of it crash.
        with np.errstate(over="ignore"):
            finite(float(np.square(real, dtype=np.float64).sum() * np.square(fake, dtype=np.float64).sum()))
        if min(len(real), len(fake)) < real.shape[1]:
            return max(0.0, finite(frechet_of_few(np.asarray(real, np.float64), np.asarray(fake, np.float64))))
        metric = FrechetInceptionDistance(feature=GivenFeatures(real.shape[1]).eval(), normalize=False)
        metric.update(torch.from_numpy(np.ascontiguousarray(real, np.float64)), real=True)
        metric.update(torch.from_numpy(np.ascontiguousarray(fake, np.float64)), real=False)
        return max(0.0, finite(float(metric.compute())))  # rounding may end below 0

    def interval(
        self,
        real: Sample,
        fake: Sample,
        held_out: Sample | None,
        rng: np.random.Generator,
        draws: int = 200,
        level: float = 0.95,
    ) -> Interval:
        """Jackknife that leaves out one patient of `real`, then one of at most `groups` groups of images of `fake`.

        Not a bootstrap: a resample holds about 63 % of the images, and FID grows as n falls.
        """
        sides = []
        for one, other in ((real, fake), (fake, real)):
            sides.append(frechets_left_out(one.points, groups_of(one, self.groups, rng), other.points))
        low, high = jackknife_interval(self.value(real.points, fake.points), *sides, level, self.least)
        return Interval(low, high, "jackknife by patient and by groups of images", notes_of(real))

    def warnings(self, n_real: int, n_fake: int, d: int) -> list[str]:
        """Fewer than 2 d or 500 images on a side."""
        least = max(2 * d, 500)
        return too_few("real images", n_real, least) + too_few("images", n_fake, least)
