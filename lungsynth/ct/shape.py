"""Measures of a 2-D mask and of components in a scan, balls and their volumes, and the words for a nodule's density."""

import numpy as np

TEXTURE_BOUNDS_HU = (-500.0, -260.0)


def equivalent_diameter_mm(mask: np.ndarray, mm_per_px: float) -> float:
    """Diameter of the disc with the mask's area: 2 sqrt(area / pi), in mm."""
    return float(2 * np.sqrt(np.count_nonzero(mask) / np.pi) * mm_per_px)


def areas_mm2(masks: np.ndarray, mm_per_px: float) -> np.ndarray:
    """[...] area of each mask in mm2; masks [..., h, w], above 0 inside."""
    return np.count_nonzero(masks, axis=(-2, -1)) * mm_per_px**2


def two_lungs(masks: np.ndarray) -> np.ndarray:
    """Whether each slice shows both lungs, bool [n]; masks [n, h, w]: 1 in the right lung, 2 in the left one."""
    return np.logical_and(*((masks == side).any((1, 2)) for side in (1, 2)))


def ball_mm3(diameter_mm: float) -> float:
    """Volume of a ball: pi d^3 / 6."""
    return float(np.pi * diameter_mm**3 / 6)


def ball_diameter_mm(volume_mm3: np.ndarray | float) -> np.ndarray:
    """Diameter of the ball of that volume: (6 V / pi)^(1/3)."""
    return np.cbrt(6 * np.asarray(volume_mm3) / np.pi)


def mask_diameter_mm(mask: np.ndarray, spacing_mm: tuple[float, ...]) -> float:
    """Diameter of the ball with the volume of a mask [z, y, x]; spacing_mm: of the axes z, y, x."""
    return float(ball_diameter_mm(np.count_nonzero(mask) * np.prod(spacing_mm)))


def compactness(labels: np.ndarray, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """[components] volume over that of the ball round the centroid that holds all voxels: a ball has 1, a vessel 0.

    labels: int [z, y, x], components 1..n without gaps; spacing_mm: of the axes z, y, x.
    """
    voxels = np.argwhere(labels)
    if not len(voxels):
        return np.empty(0)
    label = labels[tuple(voxels.T)]
    mm = voxels * np.asarray(spacing_mm)
    count = np.bincount(label)[1:]
    centre = np.stack([np.bincount(label, axis)[1:] / count for axis in mm.T], axis=1)
    farthest = np.zeros(len(count))
    np.maximum.at(farthest, label - 1, np.sqrt(((mm - centre[label - 1]) ** 2).sum(1)))
    # Half a voxel is added: the farthest voxel has an extent of its own.
    voxel_mm3 = float(np.prod(spacing_mm))
    radius = farthest + 0.5 * np.cbrt(voxel_mm3)
    return np.clip(count * voxel_mm3 / ball_mm3(1) / (2 * radius) ** 3, 0, 1)


def roundness(mask: np.ndarray) -> float:
    """Area of a mask [h, w] over that of the disc round the centroid that holds all pixels: a disc has 1, a line 0."""
    pixels = np.argwhere(mask)
    farthest = np.sqrt(((pixels - pixels.mean(0)) ** 2).sum(1)).max() + 0.5
    return float(min(1.0, len(pixels) / (np.pi * farthest**2)))


def eccentricity(mask: np.ndarray) -> float:
    """Eccentricity of the ellipse with the mask's second moments, 0 (round) to 1; 0 for fewer than 3 pixels."""
    rows, columns = np.nonzero(mask)
    if len(rows) < 3:
        return 0.0
    # 1/12 is the moment of a pixel about its own centre: without it a line of pixels has no width.
    covariance = np.cov(np.stack([rows, columns]), bias=True) + np.eye(2) / 12
    small, large = np.linalg.eigvalsh(covariance)
    return float(np.sqrt(max(0.0, 1 - small / large)))


def centroid_px(mask: np.ndarray) -> tuple[float, float]:
    """(row, column) of the mask's centre of area."""
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


def texture_class(mean_hu: float) -> str:
    """Density word of a nodule by the mean HU in its mask: ground_glass, part_solid or solid."""
    low, high = TEXTURE_BOUNDS_HU
    if mean_hu < low:
        return "ground_glass"
    return "part_solid" if mean_hu < high else "solid"


def largest_part(mask: np.ndarray) -> np.ndarray:
    """The largest 8-connected part of a mask, bool [h, w]; nothing where there is nothing."""
    from scipy import ndimage

    parts, n = ndimage.label(mask, np.ones((3, 3), int))
    return mask if n < 2 else parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])


def grow_mm(mask: np.ndarray, distance_mm: float, mm_per_px: float) -> np.ndarray:
    """The mask grown by `distance_mm` in all directions of the plane, bool [h, w]."""
    from scipy import ndimage

    if not mask.any():
        return np.zeros(mask.shape, bool)
    return ndimage.distance_transform_edt(~np.asarray(mask, bool), sampling=mm_per_px) <= distance_mm


def ring_mm(mask: np.ndarray, inner_mm: float, outer_mm: float, mm_per_px: float) -> np.ndarray:
    """The ring from `inner_mm` to `outer_mm` outside the mask, bool [h, w]."""
    return grow_mm(mask, outer_mm, mm_per_px) & ~grow_mm(mask, inner_mm, mm_per_px)
