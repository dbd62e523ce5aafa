"""Capsules and dynamic routing (Sabour, Frosst and Hinton 2017).

Capsules are held as [n, dimensions, capsules]: the long axis last, which is what makes routing fast on a CPU.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

SQUASH_EPSILON = 1e-8
LEAST_LENGTH, MOST_LENGTH, ABSENT_WEIGHT = 0.1, 0.9, 0.5


def squash(s: Tensor, dim: int = -1) -> Tensor:
    """Vectors along `dim` to length |s|^2 / (1 + |s|^2), direction kept (Sabour 2017, equation 1).

    The epsilon under the root keeps the gradient finite at 0.
    """
    square = s.square().sum(dim, keepdim=True)
    return s * (square / ((1 + square) * (square + SQUASH_EPSILON).sqrt()))


class PrimaryCapsules(nn.Module):
    """A convolution read as capsules: [n, channels, h, w] -> [n, dimensions, types x rows x columns]."""

    def __init__(self, channels: int, types: int, dimensions: int, kernel: int, stride: int, padding: int):
        super().__init__()
        self.dimensions = dimensions
        self.conv = nn.Conv2d(channels, types * dimensions, kernel, stride, padding)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.conv(x)
        return squash(maps.reshape(len(maps), self.dimensions, -1), dim=1)


class RoutedCapsules(nn.Module):
    """Capsules on all capsules below, by routing: [n, in_dimensions, inputs] -> [n, outputs, out_dimensions].

    u^_j|i = W_ij u_i, without bias; then `steps` times c = softmax of b over the outputs, s_j = sum_i c_ij u^_j|i,
    v = squash(s), b += u^ . v. The logits b start at 0 for each sample and are no parameters.

    Args:
        detach: b carries no gradient (u^ is detached in all but the last iteration).
    """

    def __init__(
        self,
        inputs: int,
        in_dimensions: int,
        outputs: int,
        out_dimensions: int,
        steps: int = 3,
        detach: bool = True,
    ):
        super().__init__()
        self.steps, self.detach = steps, detach
        self.weight = nn.Parameter(torch.randn(outputs, in_dimensions * inputs, out_dimensions) * 0.1)

    def forward(self, u: Tensor) -> Tensor:
        logits = None  # [outputs, n, inputs]
        for step in range(self.steps):
            last = step == self.steps - 1
            with torch.set_grad_enabled(torch.is_grad_enabled() and (last or not self.detach)):
                v = squash(self._weighted_sum(u, logits))
                if not last:
                    agreement = self._agreement(u, v)
                    logits = agreement if logits is None else logits + agreement
        return v.transpose(0, 1)

    def _weighted_sum(self, u: Tensor, logits: Tensor | None) -> Tensor:
        """s_j = sum_i c_ij W_ij u_i, one matrix product an output: [outputs, n, out].

        The votes u^ themselves are never built: they are out_dimensions x outputs times larger than the inputs, and
        memory is what routing spends its time on.
        """
        outputs = len(self.weight)
        if logits is None:  # equal shares
            return (u.flatten(1) / outputs) @ self.weight
        return torch.bmm((logits.softmax(0).unsqueeze(2) * u).flatten(2), self.weight)

    def _agreement(self, u: Tensor, v: Tensor) -> Tensor:
        """u^_j|i . v_j, computed as u_i . (W_ij^T v_j): [outputs, n, inputs]."""
        expected = torch.bmm(v, self.weight.transpose(1, 2)).unflatten(2, u.shape[1:])
        return (expected * u).sum(2)


def lengths(capsules: Tensor) -> Tensor:
    """Length of each capsule: [..., dimensions] -> [...]; its gradient is finite at 0."""
    return (capsules.square().sum(-1) + SQUASH_EPSILON).sqrt()


def margin_loss(length: Tensor, present: bool) -> Tensor:
    """Mean of max(0, .9 - |v|)^2 for what is present, of max(0, |v| - .1)^2 / 2 for what is not (equation 4)."""
    if present:
        return relu(MOST_LENGTH - length).square().mean()
    return ABSENT_WEIGHT * relu(length - LEAST_LENGTH).square().mean()
