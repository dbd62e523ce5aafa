"""Images altered before a critic sees them, differentiably, so that a few hundred of them are not learnt by heart."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample

from lungsynth.generate.gan_settings import Augment
from lungsynth.nets.shift import shifted

RIGHT = 0.6
"""Mean sign of a critic on real images from which it counts as overfitted (Karras 2020a, section 3)."""


class Strength(nn.Module):
    """The share of images that are altered, led by how sure a critic is of real ones; a buffer, so that it is resumed.

    Args:
        images: that are seen while it could rise from 0 to 1.
    """

    def __init__(self, images: int):
        super().__init__()
        self.images = images
        self.register_buffer("share", torch.zeros(()))

    @torch.no_grad()
    def follow(self, on_real: Tensor) -> Tensor:
        """One batch's judgements [n, ...] of real images, above 0 where they count as real; returns their mean sign."""
        sign = on_real.sign().mean()
        step = (sign - RIGHT).sign() * len(on_real) / self.images
        self.share.copy_((self.share + step.to(self.share)).clamp(0, 1))
        return sign


def alter(images: Tensor, settings: Augment, rng: torch.Generator, strength: Strength | None = None) -> Tensor:
    """Images [n, channels, h, w] in [-1, 1], each altered by its own draw; the edge's pixels fill what comes free.

    Without any alteration nothing is drawn from `rng`.

    Args:
        strength: alters a share of the images alone; None: all.
    """
    altered = images
    if settings.share:
        altered = _turned(altered, settings, rng)
    if settings.shift_px:
        altered = shifted(altered, settings.shift_px, rng)
    if settings.grey:
        altered = altered + settings.grey * torch.randn(len(images), 1, 1, 1, generator=rng).to(images)
    if strength is None or altered is images:
        return altered
    chosen = torch.rand(len(images), 1, 1, 1, generator=rng).to(images.device) < strength.share
    return torch.where(chosen, altered, images)


def _turned(images: Tensor, settings: Augment, rng: torch.Generator) -> Tensor:
    n = len(images)
    chosen = torch.rand(n, generator=rng) < settings.share
    angle = chosen * math.radians(settings.turn_deg) * torch.randn(n, generator=rng)
    size = (-settings.zoom * torch.randn(n, generator=rng) * chosen).exp()
    cosine, sine, none = size * angle.cos(), size * angle.sin(), torch.zeros(n)
    matrix = torch.stack([cosine, -sine, none, sine, cosine, none], 1).view(n, 2, 3).to(images)
    grid = affine_grid(matrix, list(images.shape), align_corners=False)
    return grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
