"""What keeps lesions as they are: the area that is protected, and the loss that weighs it."""

import numpy as np
from torch import Tensor

from lungsynth.ct.shape import grow_mm

NEAR_MM = 4.0
"""The contrast of a lesion is taken to a ring that ends here, so the ring is protected with it."""


def near_lesions(mask: np.ndarray, mm_per_px: float) -> np.ndarray:
    """The lesions of a mask [h, w] grown by `NEAR_MM`, bool [h, w]."""
    return grow_mm(mask > 0, NEAR_MM, mm_per_px)


def weighted_l1(x: Tensor, y: Tensor, near: Tensor, weight: float) -> Tensor:
    """Mean of |x - y| [n, 1, h, w] with `weight` times as much on the pixels where `near` is 1 (scalar).

    The mean is not divided by the weights: protection comes on top of the plain term and takes nothing from it.
    """
    return ((x - y).abs() * (1 + (weight - 1) * near)).mean()
