"""Masks and measures of marked lesions on a scan's grid."""

import numpy as np
from scipy import ndimage as ndi

from lungsynth.ct.shape import texture_class
from lungsynth.ct.volume import Volume

RATING_BOUNDS = (2.5, 4.25)
"""Mean rating below which a nodule is ground glass, and from which on it is solid (FACTS 11.1, by its shares)."""


def texture_of_rating(rating: float) -> str:
    """Texture word of a mean LIDC rating, 1 ground glass to 5 solid; empty where nobody rated (NaN, 0)."""
    if not 1 <= rating <= 5:
        return ""
    low, high = RATING_BOUNDS
    return "ground_glass" if rating < low else "part_solid" if rating < high else "solid"


def share_of(votes: np.ndarray, readers: np.ndarray | int) -> np.ndarray:
    """The share of the readers whom votes are of, uint8 of any shape: 255 of all, 128 of half."""
    return np.floor(255 * votes.astype(float) / readers + 0.5).astype(np.uint8)


def is_inside(volume: Volume, centre_mm: tuple[float, float, float]) -> bool:
    """Whether an LPS position lies in one of the volume's voxels."""
    index = volume.to_index(centre_mm)
    return bool(np.all(index > -0.5) and np.all(index < np.array(volume.hu.shape) - 0.5))


def sphere(volume: Volume, centre_mm, diameter_mm: float, min_hu: int, labels: np.ndarray, label: int) -> None:
    """Writes `label` into the voxels of a ball that are denser than `min_hu` and not taken yet.

    Where nothing in the ball is dense enough (a faint lesion) the whole ball is its mask.
    """
    box, ball = volume.ball(centre_mm, diameter_mm / 2)
    ball &= labels[box] == 0
    dense = ball & (volume.hu[box] > min_hu)
    labels[box][dense if dense.any() else ball] = label


def densities(volume: Volume, labels: np.ndarray, count: int) -> list[str]:
    """Texture word of labels 1 to `count` by the mean HU in each mask; empty for an empty one."""
    boxes = ndi.find_objects(labels, max_label=count) if count else []
    return [
        texture_class(float(volume.hu[box][labels[box] == k].mean())) if box else "" for k, box in enumerate(boxes, 1)
    ]


def depth_mm(volume: Volume, mask: np.ndarray, centre_mm, reach_mm: float = 25.0) -> float:
    """How deep a position lies in `mask`: distance to its edge in mm, negative outside, within +-`reach_mm`."""
    box = volume.window_round(centre_mm, reach_mm)
    part = np.asarray(mask[box], bool)
    if part.size == 0:
        return -reach_mm
    shape = np.array(volume.hu.shape)
    at = tuple(np.clip(np.rint(volume.to_index(centre_mm)).astype(int), 0, shape - 1) - [s.start for s in box])
    inside = part[at]
    if part.all() or not part.any():
        return reach_mm if inside else -reach_mm
    distance = ndi.distance_transform_edt(part if inside else ~part, sampling=volume.spacing_mm)[at]
    return float(min(distance, reach_mm) * (1 if inside else -1))
