"""A network's mean opinion over the eight ways in which a slice can be turned and mirrored."""

import torch
from torch import Tensor, nn


class EightViews(nn.Module):
    """The logit of the mean probability over flips and quarter turns; HU [n, slices, h, w] -> logits [n, 1, h, w].

    No side of a slice is a nodule's own, so that the eight answers differ by the network's own error alone. It takes
    eight times as long.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, hu: Tensor) -> Tensor:
        total = torch.zeros_like(hu[:, :1])
        for mirrored in (False, True):
            for turns in range(4):
                view = torch.rot90(hu.flip(-1) if mirrored else hu, turns, (-2, -1))
                back = torch.rot90(self.network(view).sigmoid(), -turns, (-2, -1))
                total += back.flip(-1) if mirrored else back
        return (total / 8).logit(eps=1e-6)
