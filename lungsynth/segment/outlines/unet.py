"""The network that outlines candidates in space."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from lungsynth.nets.blocks import conv_3d
from lungsynth.segment.outlines import views


class OutlineNet(nn.Module):
    """A U-Net of 3 x 3 x 3 convolutions, two a level, over four sizes of a cube.

    Input of `views.shown` [n, 6, c, c, c] -> logits [n, c, c, c].
    """

    def __init__(self, widths: Sequence[int]):
        super().__init__()
        pairs = list(pairwise((views.CHANNELS, *widths)))
        self.down = nn.ModuleList(nn.Sequential(conv_3d(a, b), conv_3d(b, b)) for a, b in pairs)
        self.up = nn.ModuleList(nn.Sequential(conv_3d(a + b, a), conv_3d(a, a)) for a, b in pairs[1:])
        self.head = nn.Conv3d(widths[0], 1, 1)
        self.to(memory_format=torch.channels_last_3d)

    def forward(self, x: Tensor) -> Tensor:
        x, kept = x.contiguous(memory_format=torch.channels_last_3d), []
        for level in self.down:
            x = level(functional.max_pool3d(x, 2) if kept else x)
            kept.append(x)
        for level, beside in zip(reversed(self.up), reversed(kept[:-1]), strict=True):
            x = functional.interpolate(x, scale_factor=2.0, mode="trilinear", align_corners=False)
            x = level(torch.cat([beside, x], dim=1))
        return self.head(x)[:, 0]
