"""The body's outline, skin, fat, breasts and the muscles of the chest wall and the shoulders."""

from dataclasses import dataclass

import numpy as np

from lungsynth.cohort.phantom.frame import Frame
from lungsynth.cohort.phantom.grid import blend, common, coverage, ellipse, paint, random_field, turn, union

SKIN_HU, FAT_HU, MUSCLE_HU, GLAND_HU = 20.0, -106.0, 52.0, 10.0
SIDES = (-1, 1)


def fat_in_front(frame: Frame) -> float:
    """Thickness of the fat under the skin of the chest, mm."""
    return 3.0 + 22.0 * frame.who.fat


def fat_at_side(frame: Frame) -> float:
    return 4.0 + 22.0 * frame.who.fat


# ------------------------------------------------------------------- outline


def outline(frame: Frame) -> np.ndarray:
    """Distance to the skin (coarse): thorax or shoulders, a flat back, a groove before the sternum, breasts."""
    size, front, side = np.float32(frame.who.size), fat_in_front(frame), fat_at_side(frame)
    # the skin follows less of the warp than the organs do
    x = frame.grid.coarse_axis[None, None, :] + np.float32(0.4) * frame.shift[0]
    y = frame.grid.coarse_axis[None, :, None] + np.float32(0.4) * frame.shift[1]
    shoulders = frame.profile(((-0.1, 0), (0.4, 138), (0.6, 151), (0.75, 163), (0.9, 168), (1.15, 160)))
    half_width = np.maximum(frame.half_width + 16 + side * 0.8, shoulders * size + side * 0.35)
    half_depth = frame.half_depth + 23 + front * 0.6
    half_depth += frame.profile(((-0.1, 6), (0.3, 4), (0.6, 10), (0.8, 8), (1.0, 2)))
    half_width, half_depth = half_width.astype(np.float32), half_depth.astype(np.float32)
    body = ellipse(x, y - frame.centre_y - 9, half_width * np.float32(1.035), half_depth * np.float32(1.02), 2.2)
    groove = frame.centre_y - frame.half_depth - np.float32(38 + front)
    body = common(body, -ellipse(frame.x, frame.y - groove, np.float32(26), np.float32(26)), 12)
    back = frame.centre_y + frame.half_depth + np.float32(26 + front * 0.35)
    body = common(body, y - back, 18)
    furrow = ellipse(frame.x, frame.y - (back + 17), np.float32(22), np.float32(22))
    body = common(body, -furrow, 10)
    if not frame.who.male:
        for breast in _breasts(frame):
            body = union(body, breast, 32)
    return body


def _breasts(frame: Frame) -> list[np.ndarray]:
    """Flat and wide, as they lie on a supine patient."""
    height = ((frame.t - 0.42) / 0.17) ** 2
    swell = np.sqrt(np.maximum(0, 1 - height)).astype(np.float32)
    front = fat_in_front(frame)
    y = frame.y - (frame.centre_y - frame.half_depth * np.float32(0.9) - np.float32(front * 0.3))
    away = np.float32(60) * (swell <= 0.02)
    half = 52 * swell + np.float32(0.5), (17 + np.float32(front * 0.45)) * swell + np.float32(0.5)
    return [ellipse(frame.x - np.float32(s * 84 * frame.who.size), y, *half) + away for s in SIDES]


# ------------------------------------------------------------------- muscles


@dataclass(frozen=True)
class Muscle:
    """An ellipse in every slice, on both sides, which begins at a relative height and grows over `ramp`."""

    x: object
    y: object
    half_x: float
    half_y: float
    angle: float = 0.0
    begins: float = -9.0
    ramp: float = 0.1
    exponent: float = 2.0


def _table(frame: Frame) -> tuple[Muscle, ...]:
    width, depth, middle = frame.half_width, frame.half_depth, frame.centre_y
    spine = frame.spine_y
    side = width + 12
    return (
        Muscle(29, spine + 27, 25, 15, exponent=2.4),  # erector spinae
        Muscle(0.80 * side, middle + 0.72 * depth + 9, 44, 13, -0.75, 0.42, 0.10),  # infraspinatus, subscapularis
        Muscle(0.95 * side + 2, middle + 0.38 * depth + 6, 9, 46, 0.42, 0.12, 0.25),  # latissimus, serratus
        Muscle(0.68 * width, middle - 0.80 * depth - 12, 50, 8, 0.48, 0.52, 0.12),  # pectoralis major
        Muscle(0.80 * width, middle - 0.66 * depth - 10, 26, 6, 0.62, 0.60, 0.10),  # pectoralis minor
        Muscle(36, spine + 44, 40, 4.5, -0.22, 0.30, 0.10),  # trapezius
        Muscle(34, spine + 37, 26, 3.5, -0.20, 0.50, 0.10),  # rhomboids
    )


def _add_muscle(distance: np.ndarray, frame: Frame, muscle: Muscle, side: int) -> None:
    """Lowers `distance` to a muscle, within the box that it can reach."""
    grown = np.clip((frame.t - muscle.begins) / muscle.ramp, 0, 1).astype(np.float32)
    slices = np.flatnonzero(grown.ravel() > 0)
    if not len(slices):
        return
    rows = slice(slices[0], slices[-1] + 1)
    shape = (frame.grid.slices, 1, 1)
    x, y = (np.broadcast_to(np.float32(v), shape)[rows] for v in (muscle.x, muscle.y))
    reach = max(muscle.half_x, muscle.half_y) + 16
    axis = frame.grid.coarse_axis
    columns = slice(*np.searchsorted(axis, ((side * x).min() - reach, (side * x).max() + reach)))
    lines = slice(*np.searchsorted(axis, (y.min() - reach, y.max() + reach)))
    box = rows, lines, columns
    across, along = turn(frame.x[box] - side * x, frame.y[box] - y, side * muscle.angle)
    half_x, half_y = (np.float32(v) * grown[rows] + np.float32(0.5) for v in (muscle.half_x, muscle.half_y))
    np.minimum(distance[box], ellipse(across, along, half_x, half_y, muscle.exponent), out=distance[box])


def muscles(frame: Frame, rng: np.random.Generator, body: np.ndarray) -> np.ndarray:
    """Distance to muscle (coarse): a shell around the thorax, the named muscles, and the mass of the back."""
    cage, top = frame.cage, np.float32(frame.who.apex_mm - 4)
    shell = cage - frame.profile(((-0.1, 9), (0.5, 9), (0.8, 8), (1.1, 6)))
    distance = np.maximum(np.maximum(shell, np.float32(0.4) - cage), frame.z - top)
    for muscle in _table(frame):
        for side in SIDES:
            _add_muscle(distance, frame, muscle, side)
    np.minimum(distance, _back(frame, rng, body), out=distance)
    np.maximum(distance, body + 5, out=distance)
    # ragged edges, with fat between the bundles
    distance += np.float32(1.5) * random_field(rng, frame.grid, 13.0)
    return distance


def _back(frame: Frame, rng: np.random.Generator, body: np.ndarray) -> np.ndarray:
    """The envelope of the back's and the shoulders' muscles, cut by planes of fat."""
    front = fat_in_front(frame)
    behind = np.clip((frame.centre_y + frame.half_depth * np.float32(0.3) - frame.y) / 40, 0, 1)
    depth = 5 + np.float32(0.35 * front) + np.float32(9 * (1 + front / 15)) * behind
    low = 1 - np.clip((frame.t - 0.38) / 0.2, 0, 1).astype(np.float32)
    lateral = 30 * low * np.clip((np.abs(frame.x) - 58) / 25, 0, 1)
    high = np.clip((frame.t - 0.75) / 0.12, 0, 1).astype(np.float32)
    # above the ribs the muscles close in on the apex
    above = np.clip((frame.t - 0.86) / 0.06, 0, 1).astype(np.float32)
    forward = frame.centre_y + frame.half_depth * np.float32(0.05) - frame.y - 70 * high
    envelope = np.maximum(np.maximum(body + depth + lateral, forward), -frame.cage - 60 * above)
    planes = random_field(rng, frame.grid, 26.0) + np.float32(0.35) * random_field(rng, frame.grid, 11.0)
    bundles = random_field(rng, frame.grid, 15.0)
    cuts = np.maximum(np.float32(2.6) - 18 * np.abs(planes), np.float32(0.9) + high - 15 * np.abs(bundles))
    return np.maximum(envelope, cuts)


# --------------------------------------------------------------------- paint


def paint_body(frame: Frame, rng: np.random.Generator, volume: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Paints skin, fat, glands and muscle over air, in place; returns how far the body covers each voxel."""
    grid = frame.grid
    fine = grid.up(body)
    skin = coverage(fine)
    blend(volume, skin, np.float32(SKIN_HU))
    strands = np.clip(1 - 9 * np.abs(random_field(rng, grid, 24.0)), 0, 1)
    fat = FAT_HU + 7 * random_field(rng, grid, 9.0) + 28 * strands
    blend(volume, coverage(fine + np.float32(2.2), 2.0), grid.up(fat))
    if not frame.who.male:
        gland = np.abs(random_field(rng, grid, 16.0)) * 14 - np.float32(rng.uniform(2, 6))
        for breast in _breasts(frame):
            paint(grid, volume, np.maximum(np.maximum(gland, breast + 9), body + 9), np.float32(GLAND_HU), 5.0)
    muscle = muscles(frame, rng, body)
    paint(grid, volume, muscle, MUSCLE_HU + 4 * random_field(rng, grid, 12.0), 1.8)
    return skin
