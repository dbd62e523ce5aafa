"""Convolutional generators and critics of images, in the manner of DCGAN (Radford 2016)."""

import torch
from torch import Tensor, nn

SLOPE = 0.2
MOST_MEAN = 0.98
"""A mean pixel is kept off the ends of tanh, where it would not learn."""


def widths(first: int, least: int, count: int) -> list[int]:
    """Channels of `count` levels: halved from `first`, never under `least`."""
    return [max(least, first >> k) for k in range(count)]


class ImageGenerator(nn.Module):
    """Random vectors to images: [n, z] -> [n, channels, size, size] in [-1, 1].

    A linear layer fills the smallest grid; each level doubles it, with batch norm and ReLU before.

    Args:
        z: length of a vector.
        start_px: side of the smallest grid; size = start_px x 2^doublings.
        first, least: channels of the smallest grid, halved at each doubling, and their lower bound.
        mean: image [channels, size, size] in [-1, 1] around which an untrained generator draws; None: 0 everywhere.
        smooth: double by bilinear interpolation and a convolution 3 x 3 instead of a transposed one 4 x 4; four times
            the work in a level, and no salt and pepper in the first hundreds of steps.
    """

    def __init__(
        self,
        z: int,
        channels: int,
        start_px: int,
        doublings: int,
        first: int,
        least: int,
        mean: Tensor | None = None,
        smooth: bool = False,
    ):
        super().__init__()
        self.z, self.start_px = z, start_px
        wide = widths(first, least, doublings)
        self.fill = nn.Linear(z, wide[0] * start_px**2, bias=False)
        levels: list[nn.Module] = []
        for k, width in enumerate(wide):
            target = wide[k + 1] if k + 1 < doublings else channels
            last = k + 1 == doublings
            levels += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            levels += _doubling(width, target, smooth, bias=last)
        self.levels = nn.Sequential(*levels)
        size = start_px << doublings
        start = torch.zeros(channels, size, size) if mean is None else mean.float()
        self.base = nn.Parameter(start.clamp(-MOST_MEAN, MOST_MEAN).atanh())
        self.to(memory_format=torch.channels_last)

    def forward(self, z: Tensor) -> Tensor:
        grid = self.fill(z).unflatten(1, (-1, self.start_px, self.start_px))
        change = self.levels(grid.contiguous(memory_format=torch.channels_last))
        return torch.tanh(change + self.base)


def _doubling(channels: int, target: int, smooth: bool, bias: bool) -> list[nn.Module]:
    """[n, channels, h, w] -> [n, target, 2 h, 2 w]."""
    if not smooth:
        return [nn.ConvTranspose2d(channels, target, 4, 2, 1, bias=bias)]
    upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    return [upsample, nn.Conv2d(channels, target, 3, padding=1, bias=bias)]


class ConvCritic(nn.Module):
    """Images to one number each: [n, channels, size, size] -> [n].

    Convolutions 4 x 4 of stride 2, LeakyReLU .2, down to `start_px`, then a linear layer.

    Args:
        first, most: channels of the first convolution, doubled at each halving, and their upper bound.
        norm: batch norm on all but the first convolution; never with a gradient penalty, which is a sample's own.
        spread: append the batch's mean standard deviation as a channel (Karras 2018), which shows a collapse.
    """

    def __init__(
        self,
        channels: int,
        start_px: int,
        halvings: int,
        first: int,
        most: int,
        norm: bool = False,
        spread: bool = False,
    ):
        super().__init__()
        self.spread = spread
        wide = [min(most, first << k) for k in range(halvings)]
        levels: list[nn.Module] = []
        for k, width in enumerate(wide):
            normed = norm and k > 0
            levels += [nn.Conv2d(wide[k - 1] if k else channels, width, 4, 2, 1, bias=not normed)]
            levels += [nn.BatchNorm2d(width)] if normed else []
            levels += [nn.LeakyReLU(SLOPE)]
        self.levels = nn.Sequential(*levels)
        self.head = nn.Linear((wide[-1] + spread) * start_px**2, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        x = self.levels(x.contiguous(memory_format=torch.channels_last))
        if self.spread:
            sd = (x.var(0, unbiased=False) + 1e-8).sqrt().mean()
            x = torch.cat([x, sd.expand(len(x), 1, *x.shape[2:])], dim=1)
        return self.head(x.flatten(1)).squeeze(1)


def start_small(module: nn.Module, sd: float = 0.02) -> None:
    """DCGAN's start: weights N(0, .02), gains of batch norm N(1, .02), biases 0."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(part.weight, 0, sd)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight, 1, sd)
        else:
            continue
        if part.bias is not None:
            nn.init.zeros_(part.bias)
