"""A DCGAN written layer by layer, for published ones whose counts must be met.

Strides and paddings are torch's for what Keras calls "same": sizes and counts are equal, weights not interchangeable.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import interpolate

from lungsynth.generate.kinds.dcgan.settings import Layers
from lungsynth.nets.blocks import SLOPE, start_small
from lungsynth.train.data import Shape

KERAS = {"eps": 1e-3, "momentum": 0.01}
"""Of batch norm, in torch's terms; the published ones are Keras's."""


class LayeredGenerator(nn.Module):
    """Random vectors to images: [n, z] -> [n, channels, size, size] in [-1, 1]."""

    def __init__(self, layers: Layers, z: int, shape: Shape):
        super().__init__()
        kernel, norm = layers.generator_kernel, layers.generator_norm
        first, side = layers.generator_widths[0], shape.size_px >> layers.doublings
        features = first * side**2
        parts: list[nn.Module] = [nn.Linear(z, features)]
        parts += [nn.BatchNorm1d(features, **KERAS)] if norm else []
        parts += [nn.LeakyReLU(layers.generator_slope), nn.Unflatten(1, (first, side, side))]
        for width, target in pairwise(layers.generator_widths):
            parts += [_doubling(width, target, kernel, not norm)]
            parts += [nn.BatchNorm2d(target, **KERAS)] if norm else []
            parts += [nn.LeakyReLU(layers.generator_slope)]
        width = layers.generator_widths[-1]
        if layers.last == "doubling":
            parts += [_doubling(width, shape.channels, kernel, not norm)]
        else:
            parts += [nn.Conv2d(width, shape.channels, kernel, padding="same", bias=not norm)]
        self.layers = nn.Sequential(*parts, nn.Tanh())
        if norm:
            start_small(self)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class LayeredCritic(nn.Module):
    """Images to logits: [n, channels, size, size] -> [n, patches], or [n, 1]."""

    def __init__(self, layers: Layers, shape: Shape):
        super().__init__()
        kernel, norm, self.enlarge = layers.critic_kernel, layers.critic_norm, layers.enlarge
        parts: list[nn.Module] = []
        widths, side = (shape.channels, *layers.critic_widths), shape.size_px * layers.enlarge
        for width, target in pairwise(widths):
            parts += [_halving(width, target, kernel, not norm)]
            # None on the first, as Radford 2016 has it.
            parts += [nn.BatchNorm2d(target, **KERAS)] if norm and len(parts) > 1 else []
            parts += [nn.LeakyReLU(SLOPE)]
            side = _halved(side, kernel)
        if layers.head == "patches":
            parts += [_halving(widths[-1], 1, kernel, not norm), nn.Flatten()]
        else:
            parts += [nn.Flatten(), nn.Dropout(layers.dropout), nn.Linear(widths[-1] * side**2, 1)]
        self.layers = nn.Sequential(*parts)
        if norm:
            start_small(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(interpolate(x, scale_factor=self.enlarge) if self.enlarge > 1 else x)


def _doubling(width: int, target: int, kernel: int, bias: bool) -> nn.Module:
    return nn.ConvTranspose2d(width, target, kernel, 2, (kernel - 1) // 2, kernel % 2, bias=bias)


def _halving(width: int, target: int, kernel: int, bias: bool) -> nn.Module:
    return nn.Conv2d(width, target, kernel, 2, (kernel - 1) // 2, bias=bias)


def _halved(side: int, kernel: int) -> int:
    """Side of a grid after `_halving`."""
    return (side + kernel % 2) // 2
