"""VGG (Simonyan & Zisserman 2015) with batch norm (Ioffe & Szegedy 2015)."""

import torch
from torch import nn

from lungsynth.utility.classify.classifier import NetworkClassifier
from lungsynth.utility.classify.registry import CLASSIFIERS
from lungsynth.utility.kinds.vgg.settings import Settings


@CLASSIFIERS.register("vgg")
class Vgg(NetworkClassifier):
    """Levels of convolutions, a grid of means, linear layers."""

    settings: Settings

    def network(self, channels: int, classes: int) -> nn.Module:
        """See `NetworkClassifier`; convolutions keep their biases, as in common counts of this network."""
        settings, parts = self.settings, []
        for count, width in zip(settings.layers, settings.widths, strict=True):
            for _ in range(count):
                parts += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
                channels = width
            parts.append(nn.MaxPool2d(2))
        length = channels * settings.pooled_px**2
        ends = [nn.AdaptiveAvgPool2d(settings.pooled_px), nn.Flatten()]
        for _ in range(2 if settings.hidden else 0):
            ends += [nn.Linear(length, settings.hidden), nn.ReLU(), nn.Dropout(settings.dropout)]
            length = settings.hidden
        if not settings.hidden:
            ends.append(nn.Dropout(settings.dropout))
        network = nn.Sequential(*parts, *ends, nn.Linear(length, classes))
        for part in network.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(part.bias)
        return network.to(memory_format=torch.channels_last)
