"""The network's in-plane grid: slices are brought to one pixel size, probabilities back to the scan's."""

from dataclasses import dataclass

import numpy as np

from lungsynth.ct.hu import AIR_HU
from lungsynth.ct.resample import resize, resize_mask
from lungsynth.ct.volume import Volume
from lungsynth.study.errors import DataError

SAME = 0.005
"""Pixel sizes that differ by less than this share are taken as equal: a 256 px slice is then off by half a pixel."""
SQUARE = 0.01
"""Rows and columns whose pixel sizes differ by less than this share are taken as square, as the checks of a scan do."""


@dataclass(frozen=True)
class Grid:
    """The pixel sizes that a network works on.

    Attributes:
        spacing_mm: what images are brought to.
        native_mm: the least and the largest pixel size that is left as it is; None: none is.
    """

    spacing_mm: float
    native_mm: tuple[float, float] | None = None

    def mm(self, pixel_mm: float) -> float:
        """The pixel size on the grid of an image with pixels of `pixel_mm`."""
        native = self.native_mm is not None and self.native_mm[0] <= pixel_mm <= self.native_mm[1]
        return pixel_mm if native else self.spacing_mm


def pixel_mm(volume: Volume) -> float:
    """The side of a volume's square pixels in mm.

    Raises:
        DataError: they are not square.
    """
    _, dy, dx = volume.spacing_mm
    if abs(dy - dx) > SQUARE * dx:
        raise DataError(f"pixels of {dy} x {dx} mm are not square")
    return float(dx)


def grid_shape(shape: tuple[int, int], mm_from: float, mm_to: float) -> tuple[int, int]:
    """Rows and columns of slices [rows, columns] on the other grid; the same where the sizes are taken as equal."""
    if abs(mm_from / mm_to - 1) < SAME:
        return shape
    rows, columns = (max(1, round(n * mm_from / mm_to)) for n in shape)
    return rows, columns


def to_grid(images: np.ndarray, mm_from: float, mm_to: float) -> np.ndarray:
    """HU slices [n, h, w] on the grid of `mm_to`: int16 [n, rows, columns], centres aligned."""
    shape = grid_shape(images.shape[-2:], mm_from, mm_to)
    if shape == images.shape[-2:]:
        return np.asarray(images, np.int16)
    return np.rint(resize(images, mm_from, mm_to, shape, fill=AIR_HU)).astype(np.int16)


def mask_to_grid(masks: np.ndarray, mm_from: float, mm_to: float) -> np.ndarray:
    """Masks or lung labels [n, h, w] on the grid of `mm_to`, uint8."""
    shape = grid_shape(masks.shape[-2:], mm_from, mm_to)
    if shape == masks.shape[-2:]:
        return np.asarray(masks, np.uint8)
    return resize_mask(masks, mm_from, mm_to, shape)


def shares_to_grid(shares: np.ndarray, mm_from: float, mm_to: float) -> np.ndarray:
    """Shares of readers [n, h, w] (uint8, 255: all) on the grid of `mm_to`, uint8."""
    shape = grid_shape(shares.shape[-2:], mm_from, mm_to)
    if shape == shares.shape[-2:]:
        return np.asarray(shares, np.uint8)
    return np.rint(resize(shares, mm_from, mm_to, shape, fill=0)).astype(np.uint8)


def from_grid(values: np.ndarray, mm_grid: float, mm_to: float, shape: tuple[int, int]) -> np.ndarray:
    """Float values [n, rows, columns] of the grid back on slices of `shape`; 0 outside."""
    if values.shape[-2:] == tuple(shape):
        return values
    return resize(values, mm_grid, mm_to, shape, fill=0)


def grid_position(row: np.ndarray, size: int, grid_size: int, scale: float) -> np.ndarray:
    """Positions on an axis of the slice (`size` px) as positions on the grid; scale: mm of slice over grid."""
    if size == grid_size:
        return np.asarray(row, float)
    return (np.asarray(row, float) - (size - 1) / 2) * scale + (grid_size - 1) / 2
