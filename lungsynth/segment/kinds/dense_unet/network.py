"""The dense U-Net and how it is trained."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lungsynth.nets.dense import ConvPair, DenseBlock
from lungsynth.segment.kinds.dense_unet.settings import Architecture, Settings
from lungsynth.segment.registry import DETECTORS
from lungsynth.segment.voxels import PRIOR_LOGIT, SliceDetector, in_window
from lungsynth.study.stages.segment import Network
from lungsynth.train.data import Shape


class DenseUNet(nn.Module):
    """Encoder of convolution pairs and max pools; a decoder level is transposed convolution, skip, dense block, 1 x 1.

    HU [n, slices, h, w] (float, h and w multiples of `architecture.halvings`) -> logits [n, 1, h, w] of the middle
    slice. The HU window is applied here, at the network's door. In eval mode the logits are divided by `temperature`
    (Guo et al. 2017): Dice makes a network so sure that its best candidates all round to 1 and cannot be ranked.
    """

    def __init__(self, architecture: Architecture, slices: int = 3):
        super().__init__()
        widths = architecture.widths
        self.window_hu = architecture.window_hu
        self.temperature = architecture.temperature
        sources = (slices, *widths[:-1])
        self.down = nn.ModuleList(ConvPair(a, b) for a, b in zip(sources, widths, strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(low, high, 2, stride=2) for high, low in pairwise(widths))
        blocks = [DenseBlock(2 * width, architecture.growth, architecture.layers) for width in widths[:-1]]
        self.dense = nn.ModuleList(
            nn.Sequential(block, nn.Conv2d(block.channels, width, 1))
            for block, width in zip(blocks, widths, strict=False)
        )
        self.head = nn.Conv2d(widths[0], 1, 1)
        nn.init.constant_(self.head.bias, PRIOR_LOGIT)
        # On CPUs the last-channel layout halves the time of these narrow convolutions.
        self.to(memory_format=torch.channels_last)

    def forward(self, hu: Tensor) -> Tensor:
        x = in_window(hu, self.window_hu)
        skips = []
        for level, pair in enumerate(self.down):
            x = pair(functional.max_pool2d(x, 2) if level else x)
            skips.append(x)
        for level in reversed(range(len(self.up))):
            x = self.dense[level](torch.cat([skips[level], self.up[level](x)], dim=1))
        return self.head(x) if self.training else self.head(x) / self.temperature


@DETECTORS.register("dense_unet")
class DenseUNetKind(SliceDetector):
    """How it is built; it learns as every `SliceDetector` does."""

    settings: Settings

    def __init__(self, settings: Settings, network: Network):
        super().__init__(settings, network)
        self.multiple = settings.architecture.halvings

    def build(self, shape: Shape, classes: int = 1, real: Any = None) -> dict[str, nn.Module]:
        """The network with fresh weights."""
        return {"segmenter": DenseUNet(self.settings.architecture, shape.channels)}
