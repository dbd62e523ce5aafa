"""The detail network: from a coarse slice to one at full size (the idea of LAPGAN, Denton 2015; FACTS 12).

It learns from pairs that cost nothing, a real slice and its own mean over blocks of pixels, so that it never has to
draw an anatomy: the generator does that at a size where a whole chest is within its reach.
"""

from torch import Tensor, cat, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu
from torch.nn.utils.parametrizations import spectral_norm

from lungsynth.nets.grain import fine_detail

SLOPE = 0.2
GRAIN_GAIN = 4
NOISES = 2
"""Channels of noise at full size; one more at half of it."""


def shrink(images: Tensor, factor: int) -> Tensor:
    """Means over blocks of pixels: [n, channels, h, w] -> [n, channels, h / factor, w / factor]."""
    return avg_pool2d(images, factor)


def enlarge(images: Tensor, factor: int) -> Tensor:
    """Bicubic, kept in [-1, 1]: [n, channels, h, w] -> [n, channels, factor h, factor w]."""
    return interpolate(images, scale_factor=factor, mode="bicubic", align_corners=False).clamp(-1, 1)


def _activated(x: Tensor) -> Tensor:
    return leaky_relu(x, SLOPE)


def _doubled(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _conv(channels_in: int, channels: int, kernel: int = 3) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels, kernel, 1, kernel // 2, padding_mode="reflect")


class Residual(nn.Module):
    """x + half of two convolutions 3 x 3 of it, no norm, as HU are absolute: [n, channels, h, w], same out."""

    def __init__(self, channels: int):
        super().__init__()
        self.first, self.second = _conv(channels, channels), _conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.5 * self.second(_activated(self.first(_activated(x))))


class DetailNetwork(nn.Module):
    """Coarse slices and noise to slices: their enlargement plus what real slices have there.

    A U-Net of two levels.

    Args:
        width: channels of the first level; blocks: residual ones at a quarter of the size; factor: of enlargement.
    """

    def __init__(self, width: int, blocks: int, factor: int):
        super().__init__()
        self.factor = factor
        self.enter = _conv(1 + NOISES, width, 5)
        self.down = nn.Conv2d(width, 2 * width, 4, 2, 1)
        self.down_again = nn.Conv2d(2 * width + 1, 3 * width, 4, 2, 1)
        self.middle = nn.Sequential(*(Residual(3 * width) for _ in range(blocks)))
        self.up, self.up_residual = _conv(5 * width, 2 * width), Residual(2 * width)
        self.up_again, self.up_again_residual = _conv(3 * width, width), Residual(width)
        self.leave = _conv(width, 1)

    def forward(self, coarse: Tensor, noise: Tensor, half_noise: Tensor) -> Tensor:
        """Slices [n, 1, f h, f w]; not bounded, so that training keeps a slope at both ends of the window.

        Args:
            coarse: [n, 1, h, w] in [-1, 1].
            noise: standard normal [n, NOISES, f h, f w]; half_noise: [n, 1, f h / 2, f w / 2].
        """
        base = enlarge(coarse, self.factor)
        full = self.enter(cat([base, noise], 1))
        half = self.down(_activated(full))
        x = self.middle(self.down_again(cat([_activated(half), half_noise], 1)))
        x = self.up_residual(self.up(_activated(cat([_doubled(x), half], 1))))
        x = self.up_again_residual(self.up_again(_activated(cat([_doubled(x), full], 1))))
        return base + self.leave(_activated(x))


class DetailJudge(nn.Module):
    """Slices beside their enlarged coarse ones to two maps of judgements: of patches of 22 px, and of fine grain.

    Spectral norm in all convolutions (Miyato 2018). It sees the slice, its grain (`fine_detail`) and the enlargement.
    """

    def __init__(self, width: int):
        super().__init__()
        self.wide = _judge(
            (3, width, 4, 2), (width, 2 * width, 4, 2), (2 * width, 4 * width, 4, 2), (4 * width, 1, 3, 1)
        )
        self.fine = _judge((3, width, 4, 2), (width, 2 * width, 3, 1), (2 * width, 1, 3, 1))

    def forward(self, images: Tensor, enlarged: Tensor) -> tuple[Tensor, Tensor]:
        seen = cat([images, GRAIN_GAIN * fine_detail(images), enlarged], 1)
        return self.wide(seen), self.fine(seen)


def _judge(*levels: tuple[int, int, int, int]) -> nn.Sequential:
    """Convolutions of (channels in, channels, kernel, stride) with LeakyReLU between them."""
    layers: list[nn.Module] = []
    for channels_in, channels, kernel, stride in levels:
        layers += [spectral_norm(nn.Conv2d(channels_in, channels, kernel, stride, 1)), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-1])
