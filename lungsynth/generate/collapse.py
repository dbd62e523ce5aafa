"""Whether a generator still draws different images: an alarm that looks at no loss, and needs no trained extractor."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from lungsynth.generate.generator import Generator
from lungsynth.generate.sample import draw

BATCH = 16
"""Images that are drawn, and that make one group of real ones: a distance to the nearest depends on their number."""
GROUPS = 4
SIDE, BANDS = 8, 8
FAINT = 1e-6
"""Share of the whole grey scale's power under which a band counts as empty."""


def features(images: Tensor) -> tuple[Tensor, Tensor]:
    """A fixed function of images float [n, c, h, w]: what lies where, and how rough it is.

    Returns:
        Means over 8 x 8 blocks [n, 64 c], and log powers of 8 rings of spatial frequency up to Nyquist [n, 8 c].
    """
    n, channels, height, width = images.shape
    blocks = adaptive_avg_pool2d(images, SIDE).reshape(n, -1)
    power = torch.fft.rfft2(images, norm="ortho").abs().square()
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])
    ring = (radius * 2 * BANDS).long().clamp(max=BANDS - 1).to(images.device).flatten()
    sums = power.new_zeros(n * channels, BANDS).index_add(1, ring, power.reshape(n * channels, -1))
    means = sums / torch.bincount(ring, minlength=BANDS).clamp(min=1)
    return blocks, (means + FAINT).log().reshape(n, -1)


def spread(drawn: Tensor, real: Tensor) -> float:
    """How different drawn images are from one another, over how different real ones are; 1: alike, 0: one image.

    It is the median distance to the nearest other image of a batch, so that a handful of images that come again and
    again gives 0 as well as a single one. Both kinds of `features` count alike: each is scaled by its own spread of
    real images.

    Args:
        drawn: [n, c, h, w] in [-1, 1]; real: [m, c, h, w], compared in groups of n; all of them, where m is below n.
    """
    n = min(len(drawn), len(real))
    made, true = features(drawn[:n].float()), features(real.float())
    scales = [part.var(0).sum().sqrt().clamp(min=1e-12) for part in true]
    made, true = (torch.cat([part / s for part, s in zip(parts, scales, strict=True)], 1) for parts in (made, true))
    groups = max(len(true) // n, 1)
    # Every groups-th image makes a group: slices of one patient lie side by side in a bank.
    between_real = sum(_to_nearest(true[k::groups][:n]) for k in range(groups)) / groups
    return float(_to_nearest(made) / between_real.clamp(min=1e-12))


def _to_nearest(points: Tensor) -> Tensor:
    """Median over the points [n, d] of the distance to the nearest other one."""
    apart = torch.cdist(points.double(), points.double(), compute_mode="donot_use_mm_for_euclid_dist")
    return apart.fill_diagonal_(torch.inf).min(1).values.median()


def alarm(kind: Generator, real: Tensor, seed: int) -> Callable[[dict[str, nn.Module]], float]:
    """What measures the spread of a generator's fixed batch, given its networks in eval mode.

    Args:
        real: [n, c, h, w] in [-1, 1], what it learns from; 64 at even steps are compared.
        seed: the run's: the same latents at every checkpoint.
    """
    wanted = min(len(real), BATCH * GROUPS)
    shown = real[torch.linspace(0, len(real) - 1, wanted).long()]

    def measured(modules: dict[str, nn.Module]) -> float:
        return spread(torch.from_numpy(draw(kind, modules, BATCH, seed, "monitor")), shown)

    return measured
