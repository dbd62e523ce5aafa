"""Measures of one 2-D mask, balls and their volumes, and the words for a nodule's density."""

import numpy as np

TEXTURE_BOUNDS_HU = (-500.0, -260.0)


def equivalent_diameter_mm(mask: np.ndarray, mm_per_px: float) -> float:
    """Diameter of the disc with the mask's area: 2 sqrt(area / pi), in mm."""
    return float(2 * np.sqrt(np.count_nonzero(mask) / np.pi) * mm_per_px)


def ball_mm3(diameter_mm: float) -> float:
    """Volume of a ball: pi d^3 / 6."""
    return float(np.pi * diameter_mm**3 / 6)


def ball_diameter_mm(volume_mm3: np.ndarray | float) -> np.ndarray:
    """Diameter of the ball of that volume: (6 V / pi)^(1/3)."""
    return np.cbrt(6 * np.asarray(volume_mm3) / np.pi)


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
