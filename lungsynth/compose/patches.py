"""The pool's nodules on the image's grid: brought there once, so that placing one is a few array operations.

A nodule is laid with its centre on a pixel's centre. So its mask, diameter and alpha are the same wherever it lies,
and the plan looks clearance up at exactly the pixel on which it is laid; the place moves by half a pixel at most.
"""

import numpy as np
from scipy import ndimage

from lungsynth.ct.resample import resize
from lungsynth.sets.bank import ImageSet

FILL_HU = -990
"""Below this a pixel of a cut-out nodule is the fill outside its margin and shows nothing of the nodule."""


class Patches:
    """Nodules at `mm_per_px`, true to size in mm.

    Attributes:
        masks: bool [n, s, s], s odd, of the nodule's own area; its centre of area lies in the middle pixel.
        alpha: float32 [n, s, s]: 1 inside, falling linearly to 0 over `feather_mm` outside the mask's edge.
        weighted: float32 [n, s, s], alpha x HU, resampled as a product so that no fill value bleeds into the edge.
        diameter_mm, radius_mm: of the disc with the mask's area.
        mean_hu: in the mask, of the nodule itself.
        reach_mm: distance from the middle to the centre of the mask's farthest pixel.
        ids: the pool's ids.
    """

    def __init__(self, nodules: ImageSet, mm_per_px: float, feather_mm: float):
        self.mm_per_px = mm_per_px
        self.ids = nodules.table["id"].to_numpy()
        size = _odd(nodules.images.shape[1] * nodules.mm_per_px / mm_per_px) + 2
        centres = [_centre(mask) for mask in nodules.masks]
        alpha = [
            _alpha(m, i, nodules.mm_per_px, feather_mm) for m, i in zip(nodules.masks, nodules.images, strict=True)
        ]

        def to_grid(images) -> np.ndarray:
            grid = (nodules.mm_per_px, mm_per_px, size)
            parts = [resize(image, *grid, centre, fill=0) for image, centre in zip(images, centres, strict=True)]
            return np.stack(parts) if parts else np.zeros((0, size, size), np.float32)

        self.masks = np.zeros((len(nodules), size, size), bool)
        shrinkage = (nodules.mm_per_px / mm_per_px) ** 2
        for mask, cover, cut_mask in zip(self.masks, to_grid(nodules.masks > 0), nodules.masks, strict=True):
            mask.flat = _most_covered(cover, round(np.count_nonzero(cut_mask) * shrinkage))
        self.alpha = to_grid(alpha)
        self.weighted = to_grid(a * image.astype(np.float32) for a, image in zip(alpha, nodules.images, strict=True))
        self.alpha = np.clip(self.alpha, 0, 1)
        area = self.masks.sum((1, 2))
        solid = np.where(self.masks, self.weighted, 0).sum((1, 2))
        self.mean_hu = solid / np.maximum(np.where(self.masks, self.alpha, 0).sum((1, 2)), 1e-6)
        self.diameter_mm = 2 * np.sqrt(area / np.pi) * mm_per_px
        self.radius_mm = self.diameter_mm / 2
        self.reach_mm = np.array([_reach(mask) for mask in self.masks]) * mm_per_px

    def __len__(self) -> int:
        return len(self.masks)

    def turned(self, index: int, turn: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(mask, alpha, weighted) of a nodule, turned by `turn` % 4 quarters, mirrored first where `turn` >= 4."""
        parts = (self.masks[index], self.alpha[index], self.weighted[index])
        return tuple(np.rot90(part[:, ::-1] if turn >= 4 else part, turn % 4) for part in parts)


def _odd(size: float) -> int:
    return int(np.ceil(size)) | 1


def _most_covered(cover: np.ndarray, n: int) -> np.ndarray:
    """Bool [size]: the n pixels that the nodule covers most.

    On a coarse grid "more than half covered" can miss a small nodule's diameter by more than half a pixel; this keeps
    its area. Equally covered pixels are taken in pairs that face each other across the middle.
    """
    place = np.arange(cover.size)
    pair = np.minimum(place, cover.size - 1 - place)
    chosen = np.zeros(cover.size, bool)
    chosen[np.lexsort((pair, -np.round(cover.ravel(), 4)))[:n]] = True
    return chosen


def _centre(mask: np.ndarray) -> tuple[float, float]:
    """Centre of area, the image's middle for an empty mask."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return (mask.shape[0] - 1) / 2, (mask.shape[1] - 1) / 2
    return float(rows.mean()), float(columns.mean())


def _alpha(mask: np.ndarray, image: np.ndarray, mm_per_px: float, feather_mm: float) -> np.ndarray:
    """Opacity on the bank's grid. The margin of a cut-out nodule holds its true edge, so the fade lies outside."""
    inside = mask > 0
    if feather_mm <= 0 or not inside.any():
        return inside.astype(np.float32)
    # From the mask's edge, which runs half a pixel outside the centres of its last pixels.
    outside = ndimage.distance_transform_edt(~inside, sampling=mm_per_px) - mm_per_px / 2
    fade = np.clip(1 - outside / feather_mm, 0, 1)
    return np.where(inside, 1, fade * (image > FILL_HU)).astype(np.float32)


def _reach(mask: np.ndarray) -> float:
    rows, columns = np.nonzero(mask)
    middle = (mask.shape[0] - 1) / 2
    return float(np.hypot(rows - middle, columns - middle).max()) if len(rows) else 0.0
