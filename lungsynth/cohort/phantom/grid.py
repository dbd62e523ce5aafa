"""The scan's grid, signed distances on it, smooth random fields, and paint.

Axes are [z, y, x]: z up, y to the patient's back, x to the patient's left (LPS), in mm; x and y are zero in the middle
of the field of view, z is zero in the lowest slice. Organs are signed distances in mm, negative inside. They are made
on a coarse grid of 128 x 128 pixels (2.8 mm) and every slice, and interpolated to the scan's pixels when they are
painted.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage
from scipy.interpolate import PchipInterpolator

COARSE_PX = 128
FAR_MM = 99.0
"""Distance of what is nowhere near: the background of distance fields that are filled piece by piece."""


@dataclass(frozen=True)
class Grid:
    """Sizes of the scan in pixels, slices and mm."""

    size_px: int
    slices: int
    pixel_mm: float
    slice_mm: float

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.slices, self.size_px, self.size_px

    @property
    def coarse_shape(self) -> tuple[int, int, int]:
        return self.slices, COARSE_PX, COARSE_PX

    @property
    def factor(self) -> int:
        """Scan pixels along a coarse pixel: 1, 2 or 4."""
        return self.size_px // COARSE_PX

    @property
    def coarse_mm(self) -> float:
        return self.pixel_mm * self.factor

    @property
    def field_mm(self) -> float:
        return self.pixel_mm * self.size_px

    @property
    def height_mm(self) -> float:
        return self.slices * self.slice_mm

    @cached_property
    def axis(self) -> np.ndarray:
        """Centres of the scan's pixels along x or y."""
        return ((np.arange(self.size_px) - (self.size_px - 1) / 2) * self.pixel_mm).astype(np.float32)

    @cached_property
    def coarse_axis(self) -> np.ndarray:
        return ((np.arange(COARSE_PX) - (COARSE_PX - 1) / 2) * self.coarse_mm).astype(np.float32)

    @cached_property
    def levels(self) -> np.ndarray:
        """Heights of the slices."""
        return (np.arange(self.slices) * self.slice_mm).astype(np.float32)

    def full(self, value: float) -> np.ndarray:
        """A float32 volume of the scan's size."""
        return np.full(self.shape, value, np.float32)

    def index(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 3) in mm as (x, y, z) to fractional indices (n, 3) as (z, y, x)."""
        middle = (self.size_px - 1) / 2
        in_plane = np.asarray(points)[..., :2] / self.pixel_mm + middle
        return np.stack([np.asarray(points)[..., 2] / self.slice_mm, in_plane[..., 1], in_plane[..., 0]], -1)

    def box(self, low: np.ndarray, high: np.ndarray) -> tuple[slice, slice, slice]:
        """Slices of the volume that hold the points from `low` to `high` (x, y, z in mm)."""
        first = np.floor(self.index(low)).astype(int)
        last = np.ceil(self.index(high)).astype(int) + 1
        return tuple(
            slice(max(0, min(a, n - 1)), max(1, min(b, n))) for a, b, n in zip(first, last, self.shape, strict=True)
        )

    def up(self, field: np.ndarray) -> np.ndarray:
        """A coarse field, or a box of it, linearly interpolated to the scan's pixels."""
        size = 1
        while size < self.factor:
            field = _double(_double(field, 1), 2)
            size *= 2
        return field


def _double(field: np.ndarray, axis: int) -> np.ndarray:
    """Twice as many samples along an axis: each pixel is cut in half."""
    field = np.moveaxis(field, axis, 0)
    fine = np.empty((2 * len(field), *field.shape[1:]), np.float32)
    quarter = np.float32(0.25) * field
    body = np.float32(0.75) * field
    fine[0::2] = body
    fine[1::2] = body
    fine[2::2] += quarter[:-1]
    fine[0] += quarter[0]
    fine[1:-1:2] += quarter[1:]
    fine[-1] += quarter[-1]
    return np.moveaxis(fine, 0, axis)


# ------------------------------------------------------------------ distances


def ellipse(x, y, half_x, half_y, exponent: float = 2.0):
    """First-order signed distance to a superellipse about the origin: (r - 1) / |grad r|."""
    u, v = np.abs(x) / half_x, np.abs(y) / half_y
    if exponent == 2.0:
        radius = np.sqrt(u * u + v * v)
    else:
        radius = (u ** np.float32(exponent) + v ** np.float32(exponent)) ** np.float32(1 / exponent)
    safe = np.maximum(radius, np.float32(0.05))
    slope = np.sqrt((u / safe / half_x) ** 2 + (v / safe / half_y) ** 2 + np.float32(1e-8))
    return (radius - 1) / slope


def ellipsoid(x, y, z, half_axes, angle: float = 0.0):
    """First-order signed distance to an ellipsoid about the origin, turned in the axial plane by `angle` (rad)."""
    if angle:
        x, y = turn(x, y, angle)
    a, b, c = (np.float32(q) for q in half_axes)
    u, v, w = x / a, y / b, z / c
    radius = np.sqrt(u * u + v * v + w * w) + np.float32(1e-6)
    slope = np.sqrt((u / a) ** 2 + (v / b) ** 2 + (w / c) ** 2 + np.float32(1e-8))
    return (radius - 1) * radius / slope


def turn(x, y, angle: float):
    """Coordinates in a frame turned by `angle` (rad)."""
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cosine * x + sine * y, cosine * y - sine * x


def union(first, second, blend_mm: float):
    """Smooth minimum (quadratic): two organs that grow together over `blend_mm`."""
    share = np.clip(np.float32(0.5) + (second - first) * np.float32(0.5 / blend_mm), 0, 1)
    return second + (first - second) * share - np.float32(blend_mm) * share * (1 - share)


def common(first, second, blend_mm: float):
    """Smooth maximum: what two organs have in common, its edges rounded over `blend_mm`."""
    return -union(-first, -second, blend_mm)


def spline(points, count: int = 10) -> np.ndarray:
    """`count` points along a smooth curve through `points` (n, 3)."""
    points = np.asarray(points, float)
    length = np.r_[0, np.cumsum(np.sqrt(((points[1:] - points[:-1]) ** 2).sum(1)))]
    return PchipInterpolator(length, points)(np.linspace(0, length[-1], count))


# -------------------------------------------------------------- random fields


def random_field(rng: np.random.Generator, grid: Grid, knots_mm: float) -> np.ndarray:
    """A coarse field of mean 0 and sd 1: a cubic spline through random knots `knots_mm` apart."""
    in_plane = int(grid.field_mm / knots_mm) + 3
    field = rng.standard_normal((int(grid.height_mm / knots_mm) + 3, in_plane, in_plane), np.float32)
    for axis, count in enumerate(grid.coarse_shape):
        field = _spline_axis(field, axis, count)
    return field / field[::2, ::2, ::2].std()


def _spline_axis(field: np.ndarray, axis: int, count: int) -> np.ndarray:
    """Cubic B-spline interpolation along one axis, whose ends are clamped."""
    knots = np.moveaxis(ndimage.spline_filter1d(field, 3, axis=axis, output=np.float32), axis, 0)
    place = np.linspace(0, len(knots) - 1.001, count)
    left = np.floor(place).astype(int)
    f = (place - left).astype(np.float32)[:, None, None]
    weights = ((1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3)
    out = np.zeros((count, *knots.shape[1:]), np.float32)
    for shift, weight in zip((-1, 0, 1, 2), weights, strict=True):
        out += weight / np.float32(6) * knots[np.clip(left + shift, 0, len(knots) - 1)]
    return np.moveaxis(out, 0, axis)


def white_field(rng: np.random.Generator, grid: Grid, sigma_mm: tuple[float, float, float]) -> np.ndarray:
    """White noise on the scan's grid, smoothed by a Gaussian of `sigma_mm` (z, y, x); sd 1."""
    noise = rng.standard_normal(grid.shape, np.float32)
    for axis, step in enumerate((grid.slice_mm, grid.pixel_mm, grid.pixel_mm)):
        sigma = sigma_mm[axis] / step
        # under a fifth of a pixel the kernel is a single tap
        if sigma > 0.2:
            noise = ndimage.gaussian_filter1d(noise, sigma, axis=axis, mode="wrap", truncate=3)
    return noise / noise[::4, ::4, ::4].std()


# ----------------------------------------------------------------------- paint


def coverage(distance: np.ndarray, width_mm: float = 1.4) -> np.ndarray:
    """Share of a voxel that an organ fills, from its distance: a ramp `width_mm` wide."""
    return np.clip(np.float32(0.5) - distance * np.float32(1 / width_mm), 0, 1)


def blend(volume: np.ndarray, cover: np.ndarray, value) -> None:
    """Lays `value` (HU, number or array) over a volume, in place, as far as it covers."""
    change = value - volume
    change *= cover
    volume += change


def paint(grid: Grid, volume: np.ndarray, distance: np.ndarray, value, width_mm: float = 1.4) -> None:
    """Paints an organ given by its coarse distance over a volume of the scan's size, in place.

    `value` is HU: a number, or a coarse field. Only the box that holds the organ is interpolated.
    """
    inside = distance < np.float32(width_mm)
    spans = []
    for axis in range(3):
        hit = np.flatnonzero(inside.any(tuple(a for a in range(3) if a != axis)))
        if not len(hit):
            return
        margin = 2 if axis else 0
        spans.append(slice(max(0, hit[0] - margin), hit[-1] + 1 + margin))
    box = tuple(spans)
    fine = (box[0], *(slice(s.start * grid.factor, s.stop * grid.factor) for s in box[1:]))
    if isinstance(value, np.ndarray):
        value = grid.up(value[box])
    blend(volume[fine], coverage(grid.up(distance[box]), width_mm), value)
