"""The parts of BigGAN (Brock 2019, appendix B): residual blocks, self-attention, norms by class."""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, relu
from torch.nn.utils.parametrizations import spectral_norm


def spectral(layer: nn.Module) -> nn.Module:
    """A layer that starts orthogonal (Saxe 2014) and is kept at a largest singular value of 1 (Miyato 2018)."""
    nn.init.orthogonal_(layer.weight)
    if getattr(layer, "bias", None) is not None:
        nn.init.zeros_(layer.bias)
    return spectral_norm(layer)


def convolution(channels: int, target: int, kernel: int = 3, bias: bool = True) -> nn.Module:
    """A spectrally normed convolution that keeps the grid's side."""
    return spectral(nn.Conv2d(channels, target, kernel, padding=kernel // 2, bias=bias))


class ClassNorm(nn.Module):
    """Batch norm whose gains and shifts come from a vector: [n, channels, h, w], [n, condition] -> [n, channels, h, w].

    Args:
        condition: length of that vector; 0: there is none, plain batch norm.
    """

    def __init__(self, channels: int, condition: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=not condition)
        self.gain, self.shift = (
            (spectral(nn.Linear(condition, channels, bias=False)) if condition else None) for _ in range(2)
        )

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        x = self.norm(x)
        if self.gain is None:
            return x
        return x * (1 + self.gain(condition)[:, :, None, None]) + self.shift(condition)[:, :, None, None]


class Attention(nn.Module):
    """Self-attention (Zhang 2019): [n, channels, h, w], same out; starts as nothing."""

    def __init__(self, channels: int):
        super().__init__()
        narrow = max(1, channels // 8)
        self.query, self.key = (convolution(channels, narrow, 1, bias=False) for _ in range(2))
        self.value = convolution(channels, channels // 2, 1, bias=False)
        self.out = convolution(channels // 2, channels, 1, bias=False)
        self.strength = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x).flatten(2)
        key, value = (max_pool2d(part(x), 2).flatten(2) for part in (self.key, self.value))
        weights = torch.bmm(query.transpose(1, 2), key).softmax(2)
        return x + self.strength * self.out(torch.bmm(value, weights.transpose(1, 2)).unflatten(2, x.shape[2:]))


class GeneratorBlock(nn.Module):
    """[n, channels, h, w] -> [n, target, 2 h, 2 w]."""

    def __init__(self, channels: int, target: int, condition: int):
        super().__init__()
        self.first_norm, self.second_norm = ClassNorm(channels, condition), ClassNorm(target, condition)
        self.first, self.second = convolution(channels, target), convolution(target, target)
        self.shortcut = convolution(channels, target, 1)

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        inner = self.first(interpolate(relu(self.first_norm(x, condition)), scale_factor=2))
        inner = self.second(relu(self.second_norm(inner, condition)))
        return inner + self.shortcut(interpolate(x, scale_factor=2))


class CriticBlock(nn.Module):
    """[n, channels, h, w] -> [n, target, h / 2, w / 2]; the last block keeps channels and grid.

    Args:
        first: it sees images, which no ReLU may cut.
    """

    def __init__(self, channels: int, target: int, halve: bool, first: bool = False):
        super().__init__()
        self.halve, self.start = halve, first
        self.first, self.second = convolution(channels, target), convolution(target, target)
        self.shortcut = convolution(channels, target, 1) if halve else None

    def forward(self, x: Tensor) -> Tensor:
        inner = self.second(relu(self.first(x if self.start else relu(x))))
        if self.shortcut is None:
            return x + inner
        # 1 x 1 and linear: halved before or after is the same but for the work.
        return avg_pool2d(inner, 2) + self.shortcut(avg_pool2d(x, 2))
