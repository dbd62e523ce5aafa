"""The compact extractor: four strided convolutions, the mean and spread of every level and the last one's quarters,
one vector.

What it must not do decides its form. Normalising each image would hide a shift of the HU scale, and taking maxima
would hide a blur; so HU go in on a fixed scale, batch statistics are frozen after training, and each level, the
finest too, is pooled by mean and standard deviation.
"""

import torch
from torch import nn
from torch.nn import functional

from lungsynth.features.compact.settings import Settings
from lungsynth.features.registry import EXTRACTORS

LUNG_WINDOW_HU = (-1000.0, -500.0)


def _level(channels: int, width: int, kernel: int) -> nn.Sequential:
    """A convolution that halves the image."""
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel, stride=2, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(0.1, inplace=True),
    )


@EXTRACTORS.register("compact")
class Compact(nn.Module):
    """Images in HU to features.

    Args:
        settings: the kind's settings.
        dimensions: length of a feature vector.
        window_hu: HU that count; what lies outside is clipped.
        with_mask: whether a mask is a channel beside the HU.
        channels: of a picture, 1 or 3; 0: of CT, which is seen in two windows.
    """

    def __init__(
        self,
        settings: Settings,
        dimensions: int,
        window_hu: tuple[float, float],
        with_mask: bool,
        channels: int = 0,
    ):
        super().__init__()
        self.settings = settings
        self.window_hu, self.with_mask = tuple(window_hu), with_mask
        self.ct = not channels
        kernels = [5] + [3] * (len(settings.widths) - 1)
        inputs = [(channels or 2) + with_mask, *settings.widths[:-1]]
        self.levels = nn.ModuleList(map(_level, inputs, settings.widths, kernels))
        length = 2 * sum(settings.widths) + 4 * settings.widths[-1]
        self.embed = nn.Sequential(nn.BatchNorm1d(length), nn.Linear(length, dimensions))

    def forward(self, hu: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """HU float32 [n, h, w], or levels [n, h, w, 3], and, where the extractor takes one, a mask [n, h, w] (above 0
        inside) to features [n, d]."""
        channels = list(_scale(hu, self.window_hu).unbind(3)) if hu.ndim == 4 else [_scale(hu, self.window_hu)]
        if self.ct:
            channels.append(_scale(hu, LUNG_WINDOW_HU))
        if self.with_mask:
            channels.append((mask > 0).to(hu.dtype))
        x = torch.stack(channels, dim=1).contiguous(memory_format=torch.channels_last)
        pooled = []
        for level in self.levels:
            x = level(x)
            pooled += [x.mean((2, 3)), (x.var((2, 3), unbiased=False) + 1e-4).sqrt()]
        pooled.append(functional.adaptive_avg_pool2d(x, 2).flatten(1))
        return torch.tanh(self.embed(torch.cat(pooled, dim=1)))


def _scale(hu: torch.Tensor, window_hu: tuple[float, float]) -> torch.Tensor:
    """HU to [-1, 1], the same for every image."""
    low, high = window_hu
    return ((hu - low) * (2 / (high - low)) - 1).clamp(-1, 1)
