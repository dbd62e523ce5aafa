"""The parts of StyleGAN2 (Karras 2020): equalised layers, modulated convolutions, filters that resample."""

import math
from collections.abc import Callable

import torch
from scipy.signal import firwin
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, linear

from lungsynth.nets.blocks import SLOPE

BINOMIAL = (0.125, 0.375, 0.375, 0.125)
KAISER_TAPS, CUTOFF, TRANSITION = 12, 0.5, math.sqrt(2) - 1
"""Of StyleGAN3's low-pass at twice the sampling rate, in its Nyquist frequencies (Karras 2021, section 3.1)."""
SMALLEST = 1e-8
GROUP = 4


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU that keeps the variance."""
    return leaky_relu(x, SLOPE) * math.sqrt(2)


class EqualLinear(nn.Module):
    """A linear layer whose weights start at sd 1 and are scaled in use, so that all learn alike (Karras 2018).

    Args:
        rate: factor on its learning rate; start: of the biases.
    """

    def __init__(self, features: int, target: int, rate: float = 1.0, start: float = 0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(target, features) / rate)
        self.bias = nn.Parameter(torch.full((target,), start / rate))
        self.scale, self.rate = rate / math.sqrt(features), rate

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight * self.scale, self.bias * self.rate)


class EqualConv(nn.Module):
    """A convolution of the same kind that keeps the grid's side."""

    def __init__(self, channels: int, target: int, kernel: int, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(target, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(target)) if bias else None
        self.scale = 1 / math.sqrt(channels * kernel**2)

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, self.weight * self.scale, self.bias, padding=self.weight.shape[2] // 2)


class ModulatedConv(nn.Module):
    """A convolution whose filters are scaled by a style: [n, channels, h, w], [n, w] -> [n, target, h, w].

    Scaling channels before and after it is the same as a filter of its own for each image, without a grouped
    convolution (Karras 2020, equations 1 and 3).

    Args:
        demodulate: scale filters to a norm of 1.
    """

    def __init__(self, channels: int, target: int, kernel: int, w: int, demodulate: bool = True):
        super().__init__()
        self.style = EqualLinear(w, channels, start=1.0)
        self.conv = EqualConv(channels, target, kernel, bias=False)
        self.bias = nn.Parameter(torch.zeros(target))
        self.demodulate = demodulate

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None = None) -> Tensor:
        styles = self.style(w)
        x = self.conv(x * styles[:, :, None, None])
        if self.demodulate:
            x = x * demodulation(self.conv.weight * self.conv.scale, styles)[:, :, None, None]
        x = x if noise is None else x + noise
        return x + self.bias[:, None, None]


def demodulation(weight: Tensor, styles: Tensor) -> Tensor:
    """1 / norm of each image's filters: [target, channels, k, k], [n, channels] -> [n, target]."""
    return (styles.square() @ weight.square().sum((2, 3)).T + SMALLEST).rsqrt()


class Resample(nn.Module):
    """Grids to twice or half their side through a low-pass filter: StyleGAN2's binomial one, or StyleGAN3's."""

    def __init__(self, alias_free: bool = False):
        super().__init__()
        taps = firwin(KAISER_TAPS, CUTOFF, width=TRANSITION, fs=2) if alias_free else BINOMIAL
        self.register_buffer("taps", torch.tensor(taps, dtype=torch.float32), persistent=False)

    def up(self, x: Tensor) -> Tensor:
        """[n, channels, h, w] -> [n, channels, 2 h, 2 w]."""
        return self._along(self._along(x, 2, conv_transpose2d, 2.0), 3, conv_transpose2d, 2.0)

    def down(self, x: Tensor) -> Tensor:
        """[n, channels, 2 h, 2 w] -> [n, channels, h, w]."""
        return self._along(self._along(x, 2, conv2d, 1.0), 3, conv2d, 1.0)

    def _along(self, x: Tensor, axis: int, operation: Callable[..., Tensor], gain: float) -> Tensor:
        rows, channels, pad = axis == 2, x.shape[1], len(self.taps) // 2 - 1
        kernel = (gain * self.taps).to(x.dtype).view(1, 1, *((-1, 1) if rows else (1, -1)))
        # One filter a channel in a grouped convolution: several times as fast as channels taken for images.
        return operation(
            x,
            kernel.expand(channels, -1, -1, -1),
            stride=(2, 1) if rows else (1, 2),
            padding=(pad, 0) if rows else (0, pad),
            groups=channels,
        )


class AliasFree(Resample):
    """Leaky ReLU without aliases: at twice the side, between two low-pass filters (Karras 2021, section 3.2)."""

    def __init__(self) -> None:
        super().__init__(alias_free=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(activate(self.up(x)))


def with_spread(x: Tensor) -> Tensor:
    """Append the mean sd over groups of up to four images as a channel, which shows a collapse (Karras 2018)."""
    n, channels, height, width = x.shape
    group = next(k for k in range(GROUP, 0, -1) if n % k == 0)
    spread = (x.view(group, -1, channels, height, width).var(0, unbiased=False) + SMALLEST).sqrt().mean((1, 2, 3))
    return torch.cat([x, spread.repeat(group)[:, None, None, None].expand(n, 1, height, width)], dim=1)
