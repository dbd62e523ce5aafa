"""Tubes: chains of tapered capsules as distances, and thin vessels as exact volume along their axis."""

import numpy as np

from lungsynth.cohort.phantom.grid import Grid


def add_capsule(
    volume: np.ndarray, grid: Grid, start, end, radii: tuple[float, float], tall: float = 1.0, margin: float = 2.5
) -> None:
    """Lowers the distances of `volume` to a tapered capsule from `start` to `end` (x, y, z in mm), in place.

    `tall` stretches the section along z; beyond `margin` mm from the surface the volume is left as it is.
    """
    reach = max(radii) + margin
    reach = np.array([reach, reach, reach * tall])
    box = grid.box(np.minimum(start, end) - reach, np.maximum(start, end) + reach)
    x = grid.axis[box[2]] - np.float32(start[0])
    y = (grid.axis[box[1]] - np.float32(start[1]))[:, None]
    z = ((grid.levels[box[0]] - np.float32(start[2])) / np.float32(tall))[:, None, None]
    a, b, c = (float(v) for v in np.subtract(end, start))
    c /= tall
    length = a * a + b * b + c * c + 1e-6
    along = np.clip((x * np.float32(a / length) + y * np.float32(b / length)) + z * np.float32(c / length), 0, 1)
    gap = (x - along * np.float32(a)) ** 2
    gap += (y - along * np.float32(b)) ** 2
    gap += (z - along * np.float32(c)) ** 2
    np.sqrt(gap, out=gap)
    gap -= np.float32(radii[0]) + along * np.float32(radii[1] - radii[0])
    np.minimum(volume[box], gap, out=volume[box])


def add_tube(volume: np.ndarray, grid: Grid, path: np.ndarray, radius, tall=1.0, margin=2.5) -> None:
    """Lowers distances to a tube along `path` (n, 3), whose radius is a number or one value a point."""
    radius = np.broadcast_to(np.asarray(radius, float), (len(path),))
    for k in range(len(path) - 1):
        add_capsule(volume, grid, path[k], path[k + 1], (radius[k], radius[k + 1]), tall, margin)


def add_thin(
    share: np.ndarray, grid: Grid, start: np.ndarray, end: np.ndarray, first: np.ndarray, last: np.ndarray
) -> None:
    """Adds thin tapered vessels to a volume of shares, in place.

    Each of the n vessels runs from `start` to `end` (n, 3) with radii `first` to `last` (n). A vessel thinner than a
    voxel keeps its true volume when that volume is dropped along the axis with trilinear weights.
    """
    length = np.sqrt(((end - start) ** 2).sum(1))
    count = np.maximum(2, np.ceil(length / (0.5 * grid.pixel_mm)).astype(int))
    vessel = np.repeat(np.arange(len(length)), count)
    along = (np.arange(len(vessel)) - np.repeat(np.cumsum(count) - count, count) + 0.5) / count[vessel]
    point = start[vessel] + (end - start)[vessel] * along[:, None]
    radius = first[vessel] + (last - first)[vessel] * along
    voxel = grid.pixel_mm**2 * grid.slice_mm
    mass = np.pi * radius**2 * (length / count)[vessel] / voxel
    place = grid.index(point)
    corner = np.floor(place).astype(int)
    inside = ((corner >= 0) & (corner < np.array(grid.shape) - 1)).all(1)
    corner, mass, part = corner[inside], mass[inside], (place - corner)[inside]
    flat = (corner[:, 0] * grid.size_px + corner[:, 1]) * grid.size_px + corner[:, 2]
    for a, b, c in np.ndindex(2, 2, 2):
        weight = np.abs(1 - a - part[:, 0]) * np.abs(1 - b - part[:, 1]) * np.abs(1 - c - part[:, 2])
        np.add.at(
            share.reshape(-1), flat + (a * grid.size_px + b) * grid.size_px + c, (mass * weight).astype(np.float32)
        )
