"""Convolutional generators and critics of images, in the manner of DCGAN (Radford 2016)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from lungsynth.nets.pixel_norm import Head, PixelNormLevel

SLOPE = 0.2
MOST_MEAN = 0.98
"""A mean pixel is kept off the ends of tanh, where nothing would be learnt."""
NOISE_START = 0.01


def widths(first: int, least: int, count: int) -> list[int]:
    """Channels of `count` levels: halved from `first`, never under `least`."""
    return [max(least, first >> k) for k in range(count)]


class NoiseTile(nn.Module):
    """Adds pixel noise [n, channels, px, px] with a learned strength a channel; the noise is cut from one fixed tile.

    Where it is cut is a function of the random vector, so that an image stays a function of its vector alone.
    """

    SPARE_PX = 64

    def __init__(self, channels: int, px: int):
        super().__init__()
        self.px = px
        self.register_buffer("tile", torch.randn(px + self.SPARE_PX, px + self.SPARE_PX))
        self.strength = nn.Parameter(torch.full((channels, 1, 1), NOISE_START))

    def forward(self, x: Tensor, place: Tensor) -> Tensor:
        """x: grids; place: standard normal [n, 2] that says where each image's noise lies in the tile."""
        corner = (torch.special.ndtr(place) * self.SPARE_PX).long().clamp(0, self.SPARE_PX)
        steps = torch.arange(self.px, device=x.device)
        rows, columns = (corner[:, k, None] + steps for k in (0, 1))
        return x + self.strength * self.tile[rows[:, :, None], columns[:, None, :]].unsqueeze(1)


class Doubling(nn.Module):
    """[n, channels, h, w] -> [n, target, 2 h, 2 w]: noise if wanted, batch norm, ReLU, then twice the size.

    Args:
        px: side of the incoming grid; noise: add a tile's.
        smooth: by interpolation and a convolution 3 x 3, and not by a transposed one 4 x 4.
    """

    def __init__(self, channels: int, target: int, px: int, smooth: bool, noise: bool, bias: bool):
        super().__init__()
        self.noise = NoiseTile(channels, px) if noise else None
        self.norm = nn.BatchNorm2d(channels)
        self.smooth = smooth
        if smooth:
            self.conv = nn.Conv2d(channels, target, 3, padding=1, bias=bias)
        else:
            self.conv = nn.ConvTranspose2d(channels, target, 4, 2, 1, bias=bias)

    def forward(self, x: Tensor, place: Tensor) -> Tensor:
        if self.noise is not None:
            x = self.noise(x, place)
        x = relu(self.norm(x))
        return self.conv(interpolate(x, scale_factor=2, mode="bilinear") if self.smooth else x)


class ImageGenerator(nn.Module):
    """Random vectors to images: [n, z] -> [n, channels, size, size] in [-1, 1].

    A linear layer fills the smallest grid; each level doubles it. What they make is a change, before tanh, of the mean
    image. That stays as it is: learnt pixel by pixel it would take up the critic's stride as a pattern.

    Args:
        z: length of a vector.
        start_px: side of the smallest grid; size = start_px x 2^doublings.
        first, least: channels of the smallest grid, halved at each doubling, and their lower bound.
        mean: image [channels, size, size] in [-1, 1] around which an untrained generator draws; None: 0 everywhere.
        smooth: see `Doubling`; up to four times the work, but no salt and pepper in the first hundreds of steps.
        noise: pixel noise on the two largest grids.
        prior: turns z into the vector that fills the smallest grid, one number shorter; None: z itself.
        pixel_norm: levels of `PixelNormLevel` in place of `Doubling`; `smooth` and `noise` say nothing then.
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
        noise: bool = False,
        prior: nn.Module | None = None,
        pixel_norm: bool = False,
    ):
        super().__init__()
        self.z, self.start_px, self.prior = z, start_px, prior
        self.fill = nn.Linear(z if prior is None else z - 1, max(first, least) * start_px**2, bias=pixel_norm)
        if pixel_norm:
            wide = widths(first, least, doublings + 1)
            grown = [PixelNormLevel(wide[k], wide[k + 1]) for k in range(doublings)]
            self.levels = nn.ModuleList([*grown, Head(wide[-1], channels)])
        else:
            wide, last = [*widths(first, least, doublings), channels], doublings - 1
            self.levels = nn.ModuleList(
                Doubling(wide[k], wide[k + 1], start_px << k, smooth, noise and k >= last - 1, bias=k == last)
                for k in range(doublings)
            )
        size = start_px << doublings
        self.register_buffer("mean", torch.zeros(channels, size, size) if mean is None else mean.float())
        self.to(memory_format=torch.channels_last)

    def forward(self, z: Tensor) -> Tensor:
        return self.decode(z if self.prior is None else self.prior(z))

    def decode(self, vector: Tensor) -> Tensor:
        """Images of the vectors that the prior gives."""
        grid = self.fill(vector).unflatten(1, (-1, self.start_px, self.start_px))
        grid = grid.contiguous(memory_format=torch.channels_last)
        for level in self.levels:
            grid = level(grid, vector[:, -2:])
        return torch.tanh(grid + self.mean.clamp(-MOST_MEAN, MOST_MEAN).atanh())


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


def conv_3d(inside: int, outside: int) -> nn.Sequential:
    """A 3 x 3 x 3 convolution, batch norm and ReLU: [n, inside, z, y, x] -> [n, outside, z, y, x]."""
    return nn.Sequential(
        nn.Conv3d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm3d(outside), nn.ReLU(inplace=True)
    )
