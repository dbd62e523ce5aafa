"""Ribs and their cartilage, spine, sternum, shoulder blades, collar bones: one distance field for all bone."""

import numpy as np
from scipy import ndimage

from lungsynth.cohort.phantom.frame import Frame
from lungsynth.cohort.phantom.grid import FAR_MM, blend, coverage, ellipse, random_field, spline
from lungsynth.cohort.phantom.tubes import add_tube

RIBS = 12
RIB_POINTS = 30
DISC_HU, CORD_HU = 75.0, 20.0
SIDES = (-1, 1)


def make_bones(frame: Frame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Distances to bone and to rib cartilage on the scan's grid."""
    bone, cartilage = frame.grid.full(FAR_MM), frame.grid.full(FAR_MM)
    _add_ribs(frame, rng, bone, cartilage)
    _add_spine(frame, bone)
    _add_sternum(frame, bone)
    for side in SIDES:
        _add_shoulder_blade(frame, rng, bone, side)
        _add_collar_bone(frame, bone, side)
    return bone, cartilage


def paint_bones(frame: Frame, rng: np.random.Generator, volume, bone: np.ndarray, cartilage: np.ndarray) -> None:
    """Paints cartilage, then marrow under a cortex about 1.5 mm thick, in place."""
    grid = frame.grid
    _paint_spinal_soft_parts(frame, volume)
    # calcified in places, more in some patients
    calcium = rng.uniform(20, 170) * np.maximum(0, random_field(rng, grid, 14.0))
    blend(volume, coverage(cartilage), grid.up(np.float32(rng.uniform(90, 130)) + calcium.astype(np.float32)))
    marrow = np.float32(rng.uniform(150, 250)) + 70 * random_field(rng, grid, 4.5)
    vertebra = (np.abs(grid.coarse_axis) < 26) & (grid.coarse_axis > 0)[:, None]
    marrow += np.float32(70) * vertebra
    value = grid.up(marrow)
    cortex = np.clip(1 - np.abs(bone + np.float32(1.2)) * np.float32(1 / 1.5), 0, 1)
    blend(value, cortex, np.float32(rng.uniform(560, 900)))
    blend(volume, coverage(bone), value)


# ----------------------------------------------------------------------- ribs


def _add_ribs(frame: Frame, rng: np.random.Generator, bone: np.ndarray, cartilage: np.ndarray) -> None:
    # a rib's head lies at a disc, and discs at multiples of the vertebrae's height
    step = frame.who.vertebra_mm
    first = step * round(frame.height(1.03) / step)
    for rib in range(RIBS):
        back_z = first - rib * step
        fall = np.interp(rib, (0, 2, 5, 9, 11), (40, 84, 116, 122, 90)) * rng.uniform(0.95, 1.05) + frame.who.tilt_mm
        angle = np.linspace(0.52, 2.95 if rib < 10 else 2.0, RIB_POINTS)
        along = (angle - 0.52) / 2.43
        z = back_z - fall * np.clip(along * 1.2, 0, 1) ** 0.92
        if rib >= 3:  # the cartilage climbs back to the sternum
            z = z + np.clip(along - 0.8, 0, 1) ** 1.2 * np.interp(rib, (3, 9), (60, 220))
        curve = _on_thorax(frame, rib, angle, z)
        wobble = ndimage.gaussian_filter1d(rng.normal(0, 1, (2, RIB_POINTS)), 4, axis=1) * 3
        for side in SIDES:
            path = curve * (side, 1, 1)
            path[:, 2] += wobble[(side + 1) // 2]
            _add_rib(frame, bone, cartilage, rib, side, np.vstack([_rib_head(frame, side, back_z, path), path]), along)


def _on_thorax(frame: Frame, rib: int, angle: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Points (n, 3) on the thorax, 5 mm outside its inner surface; angle 0 is the back."""
    half_x = frame.at_mm(frame.half_width, z) + 5.2
    half_y = frame.at_mm(frame.half_depth, z) + 5.2
    cosine, sine = np.cos(angle), np.sin(angle)
    radius = ((np.abs(sine) / half_x) ** 2.2 + (np.abs(cosine) / half_y) ** 2.2) ** (-1 / 2.2)
    if rib < 2:
        radius = radius * (0.93, 0.98)[rib]
    x = radius * sine / (1 - 0.07 * np.clip(radius * cosine / half_y, -1, 1))
    return np.stack([x, frame.at_mm(frame.centre_y, z) + radius * cosine, z], 1)


def _rib_head(frame: Frame, side: int, back_z: float, path: np.ndarray) -> np.ndarray:
    """From the vertebral body over the transverse process to the rib's angle."""
    y = frame.at_mm(frame.spine_y, back_z)
    last = min(y + 26, path[0, 1] + 2)
    return np.array(
        [[side * 18.0, y + 2, back_z + 3], [side * 27.0, y + 15, back_z + 2], [side * 36.0, last, back_z + 1]]
    )


def _add_rib(frame: Frame, bone, cartilage, rib: int, side: int, path: np.ndarray, along: np.ndarray) -> None:
    path = frame.warp(path)
    if path[:, 2].max() < -8 or path[:, 2].min() > frame.grid.height_mm + 6:
        return
    share = 0.84 if rib < 7 else 0.78
    last = 3 + (int(RIB_POINTS * share) if rib < 10 else RIB_POINTS)
    shaft = np.interp(along, (0, 0.15, 0.7, 0.8, 1), (3.4, 3.7, 3.7, 4.2, 3.8))
    radius = np.r_[3.2, 3.3, 3.4, shaft]
    add_tube(bone, frame.grid, path[:last], radius[:last], tall=1.9)
    if rib < 10:
        add_tube(cartilage, frame.grid, path[last - 1 :], radius[last - 1 :], tall=1.9)


# ---------------------------------------------------------- spine and sternum


def _spine_box(frame: Frame, half_mm: float):
    """The columns within `half_mm` of the midline, with x and y (from the vertebral bodies' centre) in them."""
    grid = frame.grid
    box = (slice(None), slice(None), slice(*np.searchsorted(grid.axis, (-half_mm, half_mm))))
    centre = frame.spine_y - frame.shift[1][:, 64 + 20, 64][:, None, None]
    return box, grid.axis[box[2]][None, None, :], grid.axis[None, :, None] - centre


def _add_spine(frame: Frame, bone: np.ndarray) -> None:
    """Vertebral bodies with a waist between discs, arches, spinous and transverse processes."""
    box, x, y = _spine_box(frame, 50)
    z = frame.grid.levels[:, None, None]
    period = np.float32(frame.who.vertebra_mm)
    phase = ((z + y * np.float32(0.12)) % period) / period
    # 0 in the middle of a body, half a period in the middle of a disc
    from_body = np.abs(phase - np.float32(0.5)) * period
    waist = np.float32(1.6) * np.cos(np.float32(2 * np.pi) * (phase - np.float32(0.5)))
    body = ellipse(x, y, np.float32(17.5), np.float32(14.5), 2.3) + waist
    body = np.maximum(np.maximum(body, y - 12), from_body - (period / 2 - np.float32(2.0)))
    arch = np.maximum(np.abs(ellipse(x, y - 19, np.float32(12), np.float32(11))) - np.float32(2.4), 8 - y)
    arch = np.maximum(arch, from_body - period * np.float32(0.38))
    parts = np.minimum(np.minimum(body, arch), _processes(x, y, z, period, from_body))
    np.minimum(bone[box], parts, out=bone[box])


def _processes(x, y, z, period, from_body) -> np.ndarray:
    """The spinous process slopes down behind the arch; the transverse ones point out and back."""
    tip = np.float32(1.2) * np.clip((y - 47) / 4, 0, 1)
    half = np.abs(x) - np.float32(4.2) + np.float32(0.09) * (y - 28) - tip
    slant = np.abs((z + (y - 20) * np.float32(0.9)) % period - period / 2) - 7
    spinous = np.maximum(np.maximum(half, np.abs(y - 40) - 13), slant)
    rod = np.sqrt((y - 17 - np.abs(x) * np.float32(0.5)) ** 2 + (np.float32(0.7) * from_body) ** 2) - np.float32(4.4)
    return np.minimum(spinous, np.maximum(rod, np.abs(np.abs(x) - 20) - 11))


def _paint_spinal_soft_parts(frame: Frame, volume: np.ndarray) -> None:
    """Discs and the spinal canal; the bones are painted over them."""
    box, x, y = _spine_box(frame, 30)
    part = volume[box]
    disc = np.maximum(ellipse(x, y, np.float32(17.5), np.float32(14.5), 2.3), y - np.float32(11.5))
    blend(part, coverage(disc), np.float32(DISC_HU))
    blend(part, coverage(ellipse(x, y - 20, np.float32(8), np.float32(7))), np.float32(CORD_HU))


def _add_sternum(frame: Frame, bone: np.ndarray) -> None:
    grid = frame.grid
    box = (slice(None), slice(None), slice(*np.searchsorted(grid.axis, (-56, 56))))
    x = grid.axis[box[2]][None, None, :]
    y = grid.axis[None, :, None] - (frame.centre_y - frame.half_depth - 7)
    half = frame.profile(((0.2, 3), (0.28, 11), (0.45, 16), (0.62, 13), (0.72, 19), (0.82, 27), (0.86, 22), (1.15, 20)))
    z = grid.levels[:, None, None]
    ends = np.maximum(frame.height(0.24) - z, z - frame.height(0.86)) * np.float32(0.7)
    plate = np.maximum(ellipse(x, y, half, np.float32(5.2), 2.8), ends.astype(np.float32))
    np.minimum(bone[box], plate, out=bone[box])


# ------------------------------------------------------------ shoulder girdle


def _add_shoulder_blade(frame: Frame, rng: np.random.Generator, bone: np.ndarray, side: int) -> None:
    """A stack of short curved capsules every 4 mm; above, the spine of the blade."""
    low, high = frame.height(rng.uniform(0.40, 0.47)), frame.height(0.97)
    towards = np.array([0.80, -0.60])
    u = np.linspace(0, 1, 7)
    for z in np.arange(low, high, 4.2):
        share = (z - low) / (high - low)
        width, depth = frame.at_mm(frame.half_width, z), frame.at_mm(frame.half_depth, z)
        length = np.interp(share, (0, 0.12, 0.5, 1), (8, 30, 62, 74))
        inner = np.array([(width + 15) * 0.62, frame.at_mm(frame.centre_y, z) + depth * 0.84 + 17])
        x = side * (inner[0] + towards[0] * length * u)
        y = inner[1] + towards[1] * length * u - 5 * np.sin(np.pi * u)
        end = 3.6 if share < 0.75 else 6.5
        radius = np.interp(u, (0, 0.1, 0.7, 1), (3.0, 1.7, 2.2, end))
        add_tube(bone, frame.grid, frame.warp(np.stack([x, y, np.full(7, z)], 1)), radius, 1.5)
        if share > 0.62:
            ridge = y[2:] + np.linspace(4, 20, 5) * min(1, (share - 0.62) / 0.2)
            add_tube(bone, frame.grid, frame.warp(np.stack([x[2:], ridge, np.full(5, z)], 1)), 2.4, 1.5)


def _add_collar_bone(frame: Frame, bone: np.ndarray, side: int) -> None:
    """The clavicle, and the head of the humerus behind its end."""
    y, depth, size = frame.at(frame.centre_y, 0.9), frame.at(frame.half_depth, 0.9), frame.who.size
    points = ((20, y - depth - 4, 0.86), (60, y - depth - 8, 0.93), (110, y - 20, 1.0), (150, y + 8, 1.03))
    path = spline([(side * x, v, frame.height(t)) for x, v, t in points], 12)
    radius = np.array([8, 7, 6, 5.5, 5.5, 5.5, 5.5, 5.5, 6, 6, 6.5, 7])
    add_tube(bone, frame.grid, frame.warp(path), radius, 1.1)
    head = ((side * 152 * size, y + 16, frame.height(0.95)), (side * 150 * size, y + 14, frame.height(1.02)))
    add_tube(bone, frame.grid, frame.warp(head), 15.0)
