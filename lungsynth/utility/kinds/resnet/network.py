"""ResNet (He et al. 2016) with the stride in the 3 x 3 convolution.

MONAI has one, with the same numbers; it is not taken, as importing it lasts half as long as a small training here, and
its levels are four. A test holds both against each other.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from lungsynth.utility.classify.classifier import NetworkClassifier
from lungsynth.utility.classify.registry import CLASSIFIERS
from lungsynth.utility.kinds.resnet.settings import Settings

EXPANSION = {"basic": 1, "bottleneck": 4}


def _convolution(channels: int, width: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(width)]


class Block(nn.Module):
    """ReLU of x + H(x), x through 1 x 1 where its shape changes: [n, channels, h, w] -> [n, width x expansion, ...]."""

    def __init__(self, channels: int, width: int, stride: int, kind: str):
        super().__init__()
        out = width * EXPANSION[kind]
        if kind == "basic":
            parts = [*_convolution(channels, width, 3, stride), nn.ReLU(), *_convolution(width, width, 3)]
        else:
            parts = [*_convolution(channels, width, 1), nn.ReLU(), *_convolution(width, width, 3, stride), nn.ReLU()]
            parts += _convolution(width, out, 1)
        self.body = nn.Sequential(*parts)
        same = stride == 1 and channels == out
        self.shortcut = nn.Identity() if same else nn.Sequential(*_convolution(channels, out, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.shortcut(x) + self.body(x))


@CLASSIFIERS.register("resnet")
class ResNet(NetworkClassifier):
    """Stem, levels, the mean over the grid, a linear layer."""

    settings: Settings

    def network(self, channels: int, classes: int) -> nn.Module:
        """See `NetworkClassifier`; convolutions start as He 2015 has it."""
        settings, width = self.settings, self.settings.widths[0]
        parts = [*_convolution(channels, width, 7 if settings.large_stem else 3, 2), nn.ReLU()]
        parts += [nn.MaxPool2d(3, 2, 1)] if settings.large_stem else []
        for level, (count, wide) in enumerate(zip(settings.layers, settings.widths, strict=True)):
            for k in range(count):
                parts.append(Block(width, wide, 2 if level and not k else 1, settings.block))
                width = wide * EXPANSION[settings.block]
        ends = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(settings.dropout), nn.Linear(width, classes)]
        network = nn.Sequential(*parts, *ends)
        for part in network.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
        return network.to(memory_format=torch.channels_last)
