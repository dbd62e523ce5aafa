"""Images altered before a critic sees them, differentiably, so that a few hundred of them are not learnt by heart."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, pad

from lungsynth.generate.doubling.settings import Augment


def alter(images: Tensor, settings: Augment, rng: torch.Generator) -> Tensor:
    """Images [n, channels, h, w] in [-1, 1], each altered by its own draw; the edge's pixels fill what comes free.

    Without any alteration nothing is drawn from `rng`.
    """
    if settings.share:
        images = _turned(images, settings, rng)
    if settings.shift_px:
        images = _shifted(images, settings.shift_px, rng)
    if settings.grey:
        images = images + settings.grey * torch.randn(len(images), 1, 1, 1, generator=rng).to(images)
    return images


def _shifted(images: Tensor, most: int, rng: torch.Generator) -> Tensor:
    height, width = images.shape[2:]
    corners = torch.randint(0, 2 * most + 1, (len(images), 2), generator=rng).tolist()
    larger = pad(images, [most] * 4, mode="replicate")
    return torch.stack([one[:, r : r + height, c : c + width] for one, (r, c) in zip(larger, corners, strict=True)])


def _turned(images: Tensor, settings: Augment, rng: torch.Generator) -> Tensor:
    n = len(images)
    chosen = torch.rand(n, generator=rng) < settings.share
    angle = chosen * math.radians(settings.turn_deg) * torch.randn(n, generator=rng)
    size = (-settings.zoom * torch.randn(n, generator=rng) * chosen).exp()
    cosine, sine, none = size * angle.cos(), size * angle.sin(), torch.zeros(n)
    matrix = torch.stack([cosine, -sine, none, sine, cosine, none], 1).view(n, 2, 3).to(images)
    grid = affine_grid(matrix, list(images.shape), align_corners=False)
    return grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
