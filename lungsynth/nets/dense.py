"""Densely connected layers (Huang et al. 2017) and the plain convolution pair of a U-Net (Ronneberger et al. 2015)."""

import torch
from torch import Tensor, nn


class ConvPair(nn.Sequential):
    """Twice convolution 3 x 3, batch norm, ReLU: [n, channels_in, h, w] -> [n, channels, h, w]."""

    def __init__(self, channels_in: int, channels: int):
        layers: list[nn.Module] = []
        for source in (channels_in, channels):
            layers += [nn.Conv2d(source, channels, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
        super().__init__(*layers)


class DenseBlock(nn.Module):
    """`layers` times H = BN-ReLU-conv 3 x 3 of `growth` filters, each on all that came before it.

    [n, channels_in, h, w] -> [n, channels, h, w]; `channels` = channels_in + layers x growth is an attribute.
    """

    def __init__(self, channels_in: int, growth: int, layers: int):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(channels_in + k * growth),
                nn.ReLU(inplace=False),  # its input is used again by every later layer
                nn.Conv2d(channels_in + k * growth, growth, 3, padding=1, bias=False),
            )
            for k in range(layers)
        )
        self.channels = channels_in + layers * growth

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        return x
