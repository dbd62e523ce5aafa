"""HU to the networks' scale and back: done at a network's door and nowhere else."""

import numpy as np


def to_unit(hu: np.ndarray, window_hu: tuple[float, float]) -> np.ndarray:
    """HU, any shape, to float32 in [-1, 1]: 2 (hu - low) / (high - low) - 1, clipped to the window."""
    low, high = window_hu
    scaled = (np.asarray(hu, np.float32) - np.float32(low)) * np.float32(2 / (high - low)) - np.float32(1)
    return np.clip(scaled, -1, 1)


def to_hu(unit: np.ndarray, window_hu: tuple[float, float]) -> np.ndarray:
    """The exact inverse of `to_unit` inside the window, as int16 HU (rounded to the nearest)."""
    low, high = window_hu
    hu = (np.asarray(unit, np.float64) + 1) * ((high - low) / 2) + low
    return np.rint(np.clip(hu, low, high)).astype(np.int16)


def channels_first(unit: np.ndarray) -> np.ndarray:
    """Images [n, h, w], or in colour [n, h, w, 3], as [n, channels, h, w]."""
    return np.moveaxis(unit, 3, 1) if unit.ndim == 4 else unit[:, None]


def to_levels(unit: np.ndarray, levels: tuple[float, float]) -> np.ndarray:
    """The inverse of `to_unit` for pictures: uint8 grey levels, uint16 where the brightest is above 255."""
    low, high = levels
    grey = (np.asarray(unit, np.float64) + 1) * ((high - low) / 2) + low
    return np.rint(np.clip(grey, low, high)).astype(np.uint8 if high <= 255 else np.uint16)


def to_grey(hu: np.ndarray, window_hu: tuple[float, float] = (-1350, 150)) -> np.ndarray:
    """HU to uint8 for pictures; the default is the lung display window (width 1500, level -600)."""
    return np.rint((to_unit(hu, window_hu) + 1) * 127.5).astype(np.uint8)
