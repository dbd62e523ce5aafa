"""U-Net (Ronneberger 2015): convolution pairs, max pools, transposed convolutions and skips, from MONAI."""

from typing import Any

import torch
from monai.networks.nets import BasicUNet
from torch import Tensor, nn

from lungsynth.segment.kinds.unet.settings import Architecture, Settings
from lungsynth.segment.registry import DETECTORS
from lungsynth.segment.voxels import PRIOR_LOGIT, FiveLevelDetector, in_window
from lungsynth.train.data import Shape


class UNet(nn.Module):
    """HU [n, slices, h, w] (float, h and w multiples of 16) -> logits [n, 1, h, w] of the middle slice."""

    def __init__(self, architecture: Architecture, slices: int = 3):
        super().__init__()
        self.window_hu, self.temperature = architecture.window_hu, architecture.temperature
        widths = architecture.widths
        how = {"act": ("relu", {"inplace": True}), "norm": "batch", "bias": False}
        self.net = BasicUNet(2, slices, 1, features=(*widths, widths[0]), **how)
        nn.init.constant_(self.net.final_conv.bias, PRIOR_LOGIT)
        self.to(memory_format=torch.channels_last)

    def forward(self, hu: Tensor) -> Tensor:
        logits = self.net(in_window(hu, self.window_hu))
        return logits if self.training else logits / self.temperature


@DETECTORS.register("unet")
class UNetKind(FiveLevelDetector):
    """How it is built; it learns as every `SliceDetector` does."""

    settings: Settings

    def build(self, shape: Shape, classes: int = 1, real: Any = None) -> dict[str, nn.Module]:
        """The network with fresh weights."""
        return {"segmenter": UNet(self.settings.architecture, shape.channels)}
