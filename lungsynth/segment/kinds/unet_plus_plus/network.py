"""U-Net++ (Zhou 2018): a U-Net whose skips are nested convolutions, with a head at each depth, from MONAI."""

from typing import Any

import torch
from monai.networks.nets import BasicUNetPlusPlus
from torch import Tensor, nn

from lungsynth.segment.kinds.unet_plus_plus.settings import Architecture, Settings
from lungsynth.segment.registry import DETECTORS
from lungsynth.segment.training.losses import dice_and_cross_entropy
from lungsynth.segment.voxels import PRIOR_LOGIT, FiveLevelDetector, in_window
from lungsynth.train.data import Shape

HEADS = 4
"""On X(0,1) to X(0,4): networks of one to four halvings in one."""


class UNetPlusPlus(nn.Module):
    """HU [n, slices, h, w] (float, h and w multiples of 16) -> logits of the middle slice.

    In training [n, 4, h, w], one channel a head (deep supervision); in eval mode [n, 1, h, w], the logit of the heads'
    mean probability (the paper's accurate mode).
    """

    def __init__(self, architecture: Architecture, slices: int = 3):
        super().__init__()
        self.window_hu, self.temperature = architecture.window_hu, architecture.temperature
        widths = architecture.widths
        how = {"act": ("relu", {"inplace": True}), "norm": "batch", "bias": False}
        self.net = BasicUNetPlusPlus(2, slices, 1, (*widths, widths[0]), deep_supervision=True, **how)
        for depth in range(1, HEADS + 1):
            nn.init.constant_(getattr(self.net, f"final_conv_0_{depth}").bias, PRIOR_LOGIT)
        self.to(memory_format=torch.channels_last)

    def forward(self, hu: Tensor) -> Tensor:
        logits = torch.cat(self.net(in_window(hu, self.window_hu)), dim=1)
        if self.training:
            return logits
        return (logits / self.temperature).sigmoid().mean(dim=1, keepdim=True).logit(eps=1e-6)


@DETECTORS.register("unet_plus_plus")
class UNetPlusPlusKind(FiveLevelDetector):
    """How it is built, and that every head learns."""

    settings: Settings

    def build(self, shape: Shape, classes: int = 1, real: Any = None) -> dict[str, nn.Module]:
        """The network with fresh weights."""
        return {"segmenter": UNetPlusPlus(self.settings.architecture, shape.channels)}

    def loss(self, logits: Tensor, masks: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean of the heads' losses."""
        each = [dice_and_cross_entropy(head, masks, self.settings.dice) for head in logits.split(1, dim=1)]
        losses, terms = zip(*each, strict=True)
        return torch.stack(losses).mean(), {name: torch.stack([t[name] for t in terms]).mean() for name in terms[0]}
