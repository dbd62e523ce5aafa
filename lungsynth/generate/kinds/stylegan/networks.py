"""Generator and critic of StyleGAN2 (Karras 2020)."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, one_hot

from lungsynth.generate.doubling.settings import start_and_doublings
from lungsynth.generate.kinds.stylegan.blocks import (
    AliasFree,
    EqualConv,
    EqualLinear,
    ModulatedConv,
    Resample,
    activate,
    with_spread,
)
from lungsynth.generate.kinds.stylegan.settings import Settings
from lungsynth.train.data import Shape

MAPPING_RATE = 0.01
MEAN_DECAY = 0.998


def _unit(x: Tensor) -> Tensor:
    """Rows scaled to a mean square of 1."""
    return normalize(x, dim=1) * math.sqrt(x.shape[1])


def _grids(settings: Settings, size_px: int) -> tuple[list[int], list[int]]:
    """Sides of the grids, smallest first, and their channels."""
    start, doublings = start_and_doublings(size_px)
    sides = [start << k for k in range(doublings + 1)]
    most = settings.channel_most
    return sides, [min(most, max(settings.channel_least, settings.channel_base // side)) for side in sides]


class Classes(nn.Module):
    """Classes int64 [n] to unit vectors [n, features]."""

    def __init__(self, classes: int, features: int):
        super().__init__()
        self.classes, self.embed = classes, EqualLinear(classes, features)

    def forward(self, labels: Tensor) -> Tensor:
        return _unit(self.embed(one_hot(labels, self.classes).float()))


class Mapping(nn.Module):
    """Random vectors and classes to styles: [n, z], int64 [n] -> [n, w]; keeps the mean style of the training."""

    def __init__(self, settings: Settings, classes: int):
        super().__init__()
        self.embed = Classes(classes, settings.z) if classes > 1 else None
        wide = [settings.z * (1 if self.embed is None else 2), *[settings.w] * settings.mapping_layers]
        self.layers = nn.ModuleList(EqualLinear(one, other, MAPPING_RATE) for one, other in pairwise(wide))
        self.register_buffer("mean", torch.zeros(settings.w))

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        w = _unit(z)
        if self.embed is not None:
            w = torch.cat([w, self.embed(labels)], dim=1)
        for layer in self.layers:
            w = activate(layer(w))
        return w.float()

    @torch.no_grad()
    def track(self, w: Tensor) -> None:
        """Take a batch of styles into the mean one, towards which drawn styles may be pulled."""
        self.mean.lerp_(w.mean(0).to(self.mean.dtype), 1 - MEAN_DECAY)


class StyleLayer(nn.Module):
    """A modulated convolution 3 x 3 with pixel noise and leaky ReLU; doubles the grid first, if it is told to."""

    def __init__(self, channels: int, target: int, settings: Settings, double: bool):
        super().__init__()
        alias_free = settings.filters == "alias_free"
        self.resample = Resample(alias_free) if double else None
        self.conv = ModulatedConv(channels, target, 3, settings.w)
        self.strength = None if alias_free else nn.Parameter(torch.zeros(()))
        self.activation = AliasFree() if alias_free else None

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        if self.resample is not None:
            x = self.resample.up(x)
        x = self.conv(x, w, None if self.strength is None else self.strength * noise)
        return activate(x) if self.activation is None else self.activation(x)


class StyleGenerator(nn.Module):
    """Styles [n, count, w] and pixel noise [n, pixels] to images [n, channels, size, size], without bounds.

    Each grid adds its image to the enlarged one of the grid before (Karras 2020, figure 7).

    Attributes:
        count: styles that an image takes, one a layer; pixels: of noise that an image takes, 0 with alias-free filters.
    """

    def __init__(self, settings: Settings, shape: Shape, classes: int):
        super().__init__()
        sides, wide = _grids(settings, shape.size_px)
        self.classes, self.mapping = classes, Mapping(settings, classes)
        self.start = nn.Parameter(torch.randn(wide[0], sides[0], sides[0]))
        self.layers = nn.ModuleList([StyleLayer(wide[0], wide[0], settings, double=False)])
        for one, other in pairwise(wide):
            self.layers += [
                StyleLayer(one, other, settings, double=True),
                StyleLayer(other, other, settings, double=False),
            ]
        self.heads = nn.ModuleList(
            ModulatedConv(width, shape.channels, 1, settings.w, demodulate=False) for width in wide
        )
        self.resample = Resample(settings.filters == "alias_free")
        self.count = len(self.layers) + 1
        self.sides = [] if settings.filters == "alias_free" else [sides[0], *(side for side in sides[1:] for _ in "ab")]
        self.pixels = sum(side**2 for side in self.sides)
        # On CPUs the last-channel layout saves a sixth of a step.
        self.to(memory_format=torch.channels_last)

    def forward(self, styles: Tensor, noise: Tensor) -> Tensor:
        parts = noise.split([side**2 for side in self.sides], dim=1)
        grids = [part.view(-1, 1, side, side) for part, side in zip(parts, self.sides, strict=True)]
        x, image = self.start.expand(len(styles), -1, -1, -1), None
        for k, layer in enumerate(self.layers):
            x = layer(x, styles[:, k], grids[k] if grids else None)
            if k % 2 == 0:  # the last layer of a grid
                drawn = self.heads[k // 2](x, styles[:, k + 1])
                image = drawn if image is None else self.resample.up(image) + drawn
        return image


class ResidualHalving(nn.Module):
    """[n, channels, h, w] -> [n, target, h / 2, w / 2]."""

    def __init__(self, channels: int, target: int):
        super().__init__()
        self.first, self.second = EqualConv(channels, channels, 3), EqualConv(channels, target, 3)
        self.shortcut, self.resample = EqualConv(channels, target, 1, bias=False), Resample()

    def forward(self, x: Tensor) -> Tensor:
        inner = activate(self.second(self.resample.down(activate(self.first(x)))))
        return (inner + self.shortcut(self.resample.down(x))) / math.sqrt(2)


class StyleCritic(nn.Module):
    """Images and classes to one logit each: [n, channels, size, size], int64 [n] -> [n].

    With classes the logit is the projection of the features on what stands for the class (Miyato 2018b).
    """

    def __init__(self, settings: Settings, shape: Shape, classes: int):
        super().__init__()
        sides, wide = _grids(settings, shape.size_px)
        self.first = EqualConv(shape.channels, wide[-1], 1)
        self.blocks = nn.Sequential(*(ResidualHalving(one, other) for one, other in pairwise(wide[::-1])))
        self.last = EqualConv(wide[0] + 1, wide[0], 3)
        self.features = EqualLinear(wide[0] * sides[0] ** 2, wide[0])
        self.embed = Classes(classes, wide[0]) if classes > 1 else None
        self.head = EqualLinear(wide[0], 1 if self.embed is None else wide[0])
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        x = activate(self.last(with_spread(self.blocks(activate(self.first(x))))))
        judged = self.head(activate(self.features(x.flatten(1))))
        if self.embed is None:
            return judged.squeeze(1)
        return (judged * self.embed(labels)).sum(1) / math.sqrt(judged.shape[1])
