"""The lungs' shape between thorax, mediastinum and diaphragm; their lobes; the organs below the diaphragm."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lungsynth.cohort.phantom.frame import Frame
from lungsynth.cohort.phantom.grid import common, ellipse, ellipsoid, paint, random_field

FISSURE_HU, MINOR_FISSURE_HU = 85.0, 35.0
MUSCLE_HU = 50.0


@dataclass(frozen=True)
class Lungs:
    """Coarse fields: distance to the lungs (negative inside), the fissures' planes, and the lobe (0 to 5)."""

    distance: np.ndarray
    major: np.ndarray
    minor: np.ndarray
    lobe: np.ndarray
    diaphragm: np.ndarray
    """Distance to the space above the diaphragm: negative in the chest, positive in the abdomen."""
    dome_mm: float


def make_lungs(frame: Frame, rng: np.random.Generator, border: np.ndarray) -> Lungs:
    """Thorax, rounded by an ellipse per side, less the mediastinum and the diaphragm, under an apex per side."""
    dome = frame.height(frame.who.dome)
    diaphragm = _diaphragm(frame, dome, dome - rng.uniform(6, 16))
    lung = common(common(frame.cage, _side(frame), 6), -border, 8)
    lung = common(common(lung, diaphragm, 5), _apex(frame), 8)
    lung += np.float32(0.9) * random_field(rng, frame.grid, 24.0)
    # the lungs never meet, however thin the septum
    np.maximum(lung, np.float32(2.4) - np.abs(frame.from_septum), out=lung)
    _close_islands(lung)
    major, minor, lobe = _lobes(frame, rng)
    return Lungs(lung, major, minor, lobe, diaphragm, dome)


def _close_islands(lung: np.ndarray) -> None:
    """Fills pockets that the mediastinum cut off from the lungs, in place."""
    parts, count = ndimage.label(lung < 0)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = lung.size
    islands = (sizes < 0.05 * lung.size / 10)[parts]
    if islands.any():
        lung[ndimage.binary_dilation(islands, iterations=2) & ((parts == 0) | islands)] = 2


def _side(frame: Frame) -> np.ndarray:
    """An ellipse on each side: it rounds the lungs beside the spine and behind the sternum."""
    x = np.abs(frame.x) * frame.egg - frame.half_width * np.float32(0.475)
    half = frame.half_width * np.float32(0.545), frame.half_depth * np.float32(1.03)
    return ellipse(x, frame.y - frame.centre_y, *half, 2.8)


def _apex(frame: Frame) -> np.ndarray:
    """One ellipse per side that closes the lung towards the apex; it lies behind the first rib."""
    half = frame.profile(
        ((0.66, 105), (0.75, 90), (0.82, 75), (0.88, 61), (0.93, 48), (0.97, 33), (1.0, 12), (1.02, 2))
    ) * np.float32(frame.who.size)
    x = frame.profile(((0.6, 40), (0.85, 45), (1, 42))) * np.float32(frame.who.size)
    y = frame.centre_y + frame.profile(((0.66, 2), (0.9, 9), (1.0, 9)))
    flat = frame.profile(((0.66, 1.02), (0.88, 0.80), (1.0, 0.85)))
    cap = ellipse(np.abs(frame.x) - x, frame.y - y, half, half * flat)
    cap = np.where(frame.level > 1.015, np.float32(8), cap)
    return np.where(frame.t < 0.66, np.float32(-30), cap)


def _diaphragm(frame: Frame, right_mm: float, left_mm: float) -> np.ndarray:
    size, depth = frame.who.size, frame.who.depth
    back = frame.at(frame.centre_y, 0.2) - 26

    def dome(x: float, top: float, fall: float, half_x: float, half_y: float) -> np.ndarray:
        """Steep at the side and the back; towards the heart and the front it falls little."""
        across, along = frame.x - np.float32(x), frame.y - np.float32(back)
        wide = np.where(across * np.sign(x) < 0, np.float32(2.0 * half_x), np.float32(half_x))
        deep = np.where(along < 0, np.float32(1.8 * half_y), np.float32(half_y))
        squared = (across / wide) ** 2 + (along / deep) ** 2
        drop = squared / (np.float32(0.55) + np.float32(0.45) * np.sqrt(squared))
        return (np.float32(top) - np.float32(fall) * drop - frame.z) * np.float32(0.75)

    right = dome(-66 * size, right_mm, 62, 80 * size, 90 * depth)
    left = dome(66 * size, left_mm, 60, 74 * size, 86 * depth)
    return np.where(frame.x < -3, right, left)


def _lobes(frame: Frame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The oblique fissures (behind and below: negative), the minor fissure, and the lobe of each voxel."""
    bend = 5 * random_field(rng, frame.grid, 70.0)
    y = frame.y - frame.centre_y
    major = (frame.z - np.float32(frame.height(0.47))) * np.float32(0.60) - (y - 2) * np.float32(0.80) + bend
    minor = frame.z - np.float32(frame.height(0.50)) + np.float32(0.05) * y + np.float32(0.8) * bend
    left = frame.from_septum > 0
    middle = (minor < 0) & ~left
    lobe = np.where(major < 0, 0, np.where(middle, 2, 1)) + 3 * left
    return major, minor, lobe.astype(np.int8)


def paint_abdomen(frame: Frame, rng: np.random.Generator, volume: np.ndarray, lungs: Lungs, heart_y: float) -> None:
    """Paints diaphragm, stomach with its gas, spleen and liver into the fat below the lungs, in place."""
    grid, size = frame.grid, frame.who.size
    liver_hu = rng.uniform(95, 120) if frame.who.contrast else rng.uniform(52, 66)
    below = common(frame.cage + 2, np.float32(1.5) - lungs.diaphragm, 3)
    sheet = np.maximum(np.abs(lungs.diaphragm - np.float32(1.5)) - np.float32(2.5), frame.cage)
    paint(grid, volume, sheet, np.float32(MUSCLE_HU))
    top = lungs.dome_mm - 11
    stomach = _organ(frame, (72 * size, heart_y + 22, top - 38), (46, 52, 42))
    spleen = _organ(frame, (100 * size, heart_y + 85, top - 34), (26, 42, 36), 0.5)
    stomach, spleen = common(stomach, below, 3), common(spleen, below, 3)
    paint(grid, volume, stomach, np.float32(rng.uniform(25, 45)))
    paint(grid, volume, spleen, np.float32(liver_hu - 5))
    surface = frame.grid.coarse_axis[None, :, None] - np.float32(heart_y + rng.uniform(-4, 14))
    paint(grid, volume, np.maximum(stomach + 5, surface), np.float32(-960))
    edge = (frame.x - 46) * np.float32(0.8) + (frame.y - frame.centre_y) * np.float32(0.35)
    edge += (np.float32(lungs.dome_mm - 18) - frame.z) * np.float32(-0.35)
    liver = common(common(frame.cage + 2, np.float32(0.8) - lungs.diaphragm, 3), edge, 6)
    spine = ellipse(frame.x, frame.y - frame.spine_y + 6, np.float32(34), np.float32(36))
    liver = common(liver, -spine, 6)
    branches = np.clip(1 - 5 * np.abs(random_field(rng, grid, 22.0)), 0, 1) * (25 if frame.who.contrast else -10)
    paint(grid, volume, liver, liver_hu + 3 * random_field(rng, grid, 8.0) + branches)


def _organ(frame: Frame, centre, half_axes, angle: float = 0.0) -> np.ndarray:
    x, y, z = (np.float32(c) for c in centre)
    return ellipsoid(frame.x - x, frame.y - y, frame.z - z, half_axes, angle)
