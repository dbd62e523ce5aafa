"""Adversarial losses and penalties that several kinds share."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def cross_entropy(logits: Tensor, target: float) -> Tensor:
    """Mean binary cross entropy of logits of any shape against one target (Goodfellow 2014)."""
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def squared_slope(judged: Tensor, images: Tensor) -> Tensor:
    """Mean over images of |grad D(x)|^2, with gradients to the critic (R1, Mescheder 2018)."""
    (slope,) = torch.autograd.grad(judged.sum(), images, create_graph=True)
    return slope.flatten(1).square().sum(1).mean()
