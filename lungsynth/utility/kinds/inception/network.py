"""Inception modules (Szegedy et al. 2015, Figure 2b) with batch norm (Ioffe & Szegedy 2015), without helping heads."""

import torch
from torch import Tensor, nn

from lungsynth.utility.classify.classifier import NetworkClassifier
from lungsynth.utility.classify.registry import CLASSIFIERS
from lungsynth.utility.kinds.inception.settings import Module, Settings


def _convolution(channels: int, width: int, kernel: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU())


class Branches(nn.Module):
    """1 x 1, 3 x 3, 5 x 5 and pooling beside each other, their channels in a row.

    [n, channels, h, w] -> [n, width, h, w]; `width` is an attribute.
    """

    def __init__(self, channels: int, module: Module):
        super().__init__()
        one, before_three, three, before_five, five, pooled = module
        self.branches = nn.ModuleList(
            [
                _convolution(channels, one, 1),
                nn.Sequential(_convolution(channels, before_three, 1), _convolution(before_three, three, 3)),
                nn.Sequential(_convolution(channels, before_five, 1), _convolution(before_five, five, 5)),
                nn.Sequential(nn.MaxPool2d(3, 1, 1), _convolution(channels, pooled, 1)),
            ]
        )
        self.width = one + three + five + pooled

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


@CLASSIFIERS.register("inception")
class Inception(NetworkClassifier):
    """Stem, levels of modules, the mean over the grid, a linear layer."""

    settings: Settings

    def network(self, channels: int, classes: int) -> nn.Module:
        """See `NetworkClassifier`."""
        settings, width = self.settings, self.settings.stem_channels
        if settings.large_stem:
            parts = [_convolution(channels, width, 7, 2), nn.MaxPool2d(3, 2, 1), _convolution(width, width, 1)]
            parts += [_convolution(width, 3 * width, 3), nn.MaxPool2d(3, 2, 1)]
            width *= 3
        else:
            parts = [_convolution(channels, width, 3, 2), nn.MaxPool2d(3, 2, 1)]
        for number, level in enumerate(settings.levels):
            parts += [nn.MaxPool2d(3, 2, 1)] if number else []
            for module in level:
                parts.append(Branches(width, module))
                width = parts[-1].width
        ends = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(settings.dropout), nn.Linear(width, classes)]
        return nn.Sequential(*parts, *ends).to(memory_format=torch.channels_last)
