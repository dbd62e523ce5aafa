"""Images moved by whole pixels or mirrored, each by its own draw."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad


def shifted(images: Tensor, most: int, rng: torch.Generator) -> Tensor:
    """Images [n, channels, h, w] moved by `most` pixels at most, to each side; the edge's fill what comes free."""
    height, width = images.shape[2:]
    corners = torch.randint(0, 2 * most + 1, (len(images), 2), generator=rng).tolist()
    larger = pad(images, [most] * 4, mode="replicate")
    return torch.stack([one[:, r : r + height, c : c + width] for one, (r, c) in zip(larger, corners, strict=True)])


def half_mirrored(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Images [n, channels, h, w], each mirrored from left to right with a chance of one half."""
    mirrored = torch.from_numpy(rng.random(len(images)) < 0.5)[:, None, None, None]
    return torch.where(mirrored, images.flip(3), images)
