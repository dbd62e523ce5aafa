"""The mediastinum: heart, great vessels, central airways, oesophagus, nodes and the fat between them."""

from dataclasses import dataclass, replace

import numpy as np

from lungsynth.cohort.phantom.frame import Frame
from lungsynth.cohort.phantom.grid import (
    FAR_MM,
    blend,
    common,
    coverage,
    ellipse,
    ellipsoid,
    paint,
    random_field,
    spline,
    turn,
    union,
)
from lungsynth.cohort.phantom.tubes import add_tube

WALL_MM, AIRWAY_WALL_HU, AIRWAY_HU = 1.6, 20.0, -990.0


@dataclass(frozen=True)
class Heart:
    """Centre (unwarped mm), half axes in mm and the axial angle (rad) of the ventricles, and the distances."""

    centre: tuple[float, float, float]
    half_axes: np.ndarray
    angle: float
    ventricles: np.ndarray
    whole: np.ndarray


@dataclass(frozen=True)
class Airways:
    """Paths of the central airways (unwarped mm), and their distance on the scan's grid."""

    right_hilum: np.ndarray
    left_hilum: np.ndarray
    distance: np.ndarray


# ---------------------------------------------------------------------- heart


def make_heart(frame: Frame, rng: np.random.Generator) -> Heart:
    """Two blended ellipsoids: the ventricles, pointing left and forward, and the right atrium."""
    size = frame.who.size
    x = rng.uniform(21, 30) * size
    y = float((frame.centre_y - frame.half_depth * np.float32(0.35))[int(0.28 * frame.grid.slices), 0, 0])
    # a deep breath takes the heart down with the diaphragm
    z = frame.height(0.20 + 0.40 * frame.who.dome + rng.uniform(-0.02, 0.02))
    half_axes = np.array([rng.uniform(55, 65), rng.uniform(41, 49), rng.uniform(46, 54)]) * size
    angle = rng.uniform(0.4, 0.68)
    ventricles = ellipsoid(frame.x - np.float32(x), frame.y - np.float32(y), frame.z - np.float32(z), half_axes, angle)
    shift = np.float32(x - 38 * size), np.float32(y + 14), np.float32(z + 12)
    atrium = ellipsoid(*_less(frame, shift), np.array([30, 36, 40]) * size)
    return Heart((x, y, z), half_axes, angle, ventricles, union(ventricles, atrium, 14))


def rest_heart(heart: Heart, diaphragm: np.ndarray) -> Heart:
    """The heart cut off 6 mm below the diaphragm, on which it rests."""
    return replace(heart, whole=common(heart.whole, diaphragm - np.float32(6), 6))


def _less(frame: Frame, centre) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return frame.x - centre[0], frame.y - centre[1], frame.z - centre[2]


def make_border(frame: Frame, rng: np.random.Generator, heart: Heart) -> np.ndarray:
    """Distance to the mediastinum as the lungs see it (coarse): pedicle, heart and its fat, spine, front septum."""
    who = frame.who
    half_x = frame.profile(((0, 24), (0.3, 23), (0.5, 26), (0.62, 24), (0.72, 21), (0.85, 18), (1, 18), (1.15, 32)))
    half_y = frame.profile(((0, 24), (0.4, 40), (0.6, 42), (0.75, 33), (0.9, 25), (1.1, 28)))
    y = frame.centre_y + frame.profile(((0, 20), (0.4, 10), (0.6, -4), (0.75, -2), (0.9, -2), (1.1, 0)))
    pedicle = ellipse(frame.x - 3, frame.y - y, half_x, half_y)
    fat = 1 + np.float32(1.5 + 2.5 * who.fat) * np.maximum(0, random_field(rng, frame.grid, 22.0))
    septum = _septum(frame)
    near_spine = union(_spine_bulge(frame) - 1, septum, 7)
    return union(union(pedicle, heart.whole - fat, 8), near_spine, 7)


def _spine_bulge(frame: Frame) -> np.ndarray:
    """The vertebral body, what widens behind it, and the thin bridge from it to the heart."""
    y = frame.y - frame.spine_y
    body = ellipse(frame.x, y, np.float32(20), np.float32(19))
    wedge = np.maximum(np.abs(frame.x) - 17 - np.float32(1.15) * np.maximum(y - 4, 0), -y) * np.float32(0.7)
    # oesophagus and azygos vein keep the lungs apart before the spine
    behind_heart = np.maximum(np.abs(frame.x - 2) - 10, np.abs(y + 20) - 20)
    return np.minimum(np.minimum(body, wedge), behind_heart)


def _septum(frame: Frame) -> np.ndarray:
    """The thin wall between the lungs before the heart; it widens at the sternum and towards the neck."""
    half = np.float32(2.2) + 22 * np.clip((frame.level - 0.80) / 0.12, 0, 1)
    at_sternum = np.clip(1 - np.abs(frame.y - (frame.centre_y - frame.half_depth)) / 20, 0, 1)
    half = half + np.float32(13) * at_sternum**2
    return np.maximum(np.abs(frame.from_septum) - half, frame.y - frame.centre_y)


# -------------------------------------------------------------- great vessels


def make_great_vessels(frame: Frame, rng: np.random.Generator, airways: Airways) -> np.ndarray:
    """Distance to the blood of the great vessels, on the scan's grid."""
    distance = frame.grid.full(FAR_MM)
    arch = frame.height(rng.uniform(0.70, 0.74))
    tubes = [*_aorta(frame, rng, arch), *_veins(frame), *_pulmonary(frame, airways)]
    for path, radius in tubes:
        add_tube(distance, frame.grid, frame.warp(path), radius, margin=9.0)
    return distance


def _aorta(frame: Frame, rng: np.random.Generator, arch: float) -> list:
    z, mid = frame.height, frame.at(frame.centre_y, 0.6)
    radius = rng.uniform(12.5, 16.0) * frame.who.size
    left = rng.uniform(22, 28)
    spine = [frame.at(frame.spine_y, t) for t in (0.0, 0.3, 0.6)]
    path = (
        (4, mid - 16, z(0.42)), (-16, mid - 30, z(0.52)), (-16, mid - 28, z(0.62)), (-6, mid - 18, arch - 4),
        (8, mid + 4, arch), (left - 3, mid + 28, arch - 6), (left, spine[2] - 14, z(0.60)),
        (left - 4, spine[1] - 20, z(0.30)), (10, spine[0] - 24, z(0.0)), (4, spine[0] - 30, -10),
    )  # fmt: skip
    count = 34
    taper = np.interp(np.linspace(0, 1, count), (0, 0.25, 0.45, 0.55, 1), (1, 1, 0.95, 0.82, 0.70)) * radius
    brachiocephalic = (
        (-8, mid - 18, arch + 2),
        (-14, mid - 20, z(0.84)),
        (-24, mid - 22, z(0.98)),
        (-26, mid - 22, 280),
    )
    carotid = ((4, mid - 2, arch + 4), (12, mid - 6, z(0.86)), (20, mid - 10, 280))
    subclavian = ((14, mid + 8, arch + 2), (24, mid + 10, z(0.86)), (34, mid + 2, 280))
    branches = zip((brachiocephalic, carotid, subclavian), (6.2, 4.0, 4.8), strict=True)
    return [(spline(path, count), taper), *((spline(p, 7), r) for p, r in branches)]


def _veins(frame: Frame) -> list:
    z, mid = frame.height, frame.at(frame.centre_y, 0.6)
    low, mid_spine = frame.at(frame.spine_y, 0.0), frame.at(frame.spine_y, 0.3)
    superior = (
        (-28, mid - 14, z(0.42)), (-25, mid - 16, z(0.6)), (-21, mid - 16, z(0.78)), (-18, mid - 22, z(0.84)),
        (20, mid - 34, z(0.88)), (60, mid - 36, z(0.93)),
    )  # fmt: skip
    inferior = ((-26, mid_spine - 46, z(0.43)), (-26, mid_spine - 44, z(0.3)), (-22, low - 40, -8))
    azygos = ((-6, mid_spine - 20, z(0.3)), (-6, frame.at(frame.spine_y, 0.6) - 20, z(0.6)), (-12, mid + 16, z(0.68)))
    taper = np.array([9.5] * 10 + [8, 7, 6, 6])
    return [(spline(superior, 14), taper), (spline(inferior, 8), 12.0), (spline(azygos, 8), 3.6)]


def _pulmonary(frame: Frame, airways: Airways) -> list:
    z, mid = frame.height, frame.at(frame.centre_y, 0.6)
    right, left = airways.right_hilum, airways.left_hilum
    trunk = ((18, mid - 38, z(0.44)), (20, mid - 34, z(0.52)), (16, mid - 22, z(0.575)))
    to_right = ((14, mid - 20, z(0.57)), (-8, mid - 8, z(0.565)), (-30, mid, z(0.55)), right)
    to_left = ((16, mid - 22, z(0.575)), (28, mid - 8, z(0.59)), left)
    down_right = (right, _from(right, -6, 9, -18), _from(right, -12, 20, -40))
    down_left = (left, _from(left, 5, 12, -16), _from(left, 9, 24, -38))
    return [
        (spline(trunk, 6), 13.5),
        (spline(to_right, 8), np.linspace(11.5, 8.5, 8)),
        (spline(to_left, 6), np.linspace(11, 9, 6)),
        (spline(down_right, 6), np.linspace(8, 5, 6)),
        (spline(down_left, 6), np.linspace(8, 5, 6)),
    ]


def _from(point: np.ndarray, x: float, y: float, z: float) -> np.ndarray:
    return point + np.array([x, y, z])


# -------------------------------------------------------------------- airways


def make_airways(frame: Frame, rng: np.random.Generator) -> Airways:
    """Trachea, main bronchi that keep falling after the carina, and the right intermediate bronchus."""
    z, mid, size = frame.height, frame.at(frame.centre_y, 0.6), frame.who.size
    right = np.array([-44 * size, mid + 8, z(0.53)])
    left = np.array([46 * size, mid + 10, z(0.56)])
    fork_z, fork_y = z(rng.uniform(0.60, 0.635)), mid + 12
    fork = (-2, fork_y, fork_z)
    neck = frame.at(frame.centre_y, 0.9) - 6, frame.at(frame.centre_y, 1.0) - 8
    radius = rng.uniform(7.9, 9.8) * (1.0 if frame.who.male else 0.92)
    trachea = spline((fork, (0, fork_y - 4, z(0.75)), (1, neck[0], z(0.9)), (0, neck[1], 280)), 10)
    main_right = spline((fork, (-19, fork_y + 3, fork_z - 17), (right[0] + 4, right[1] + 4, fork_z - 36)), 6)
    main_left = spline((fork, (19, fork_y + 5, fork_z - 17), (left[0] - 4, left[1] + 8, fork_z - 40)), 7)
    lower_right = spline((main_right[-2], (-42, fork_y + 10, z(0.44)), (-47, fork_y + 18, z(0.37))), 5)
    lower_left = spline((main_left[-1], (46, fork_y + 16, z(0.41)), (50, fork_y + 24, z(0.35))), 5)
    distance = frame.grid.full(FAR_MM)
    for path, taper in (
        (trachea, radius),
        (main_right, np.linspace(radius * 0.85, 5.8, 6)),
        (main_left, np.linspace(radius * 0.75, 5.2, 7)),
        (lower_right, np.linspace(5.6, 4.2, 5)),
        (lower_left, np.linspace(4.8, 3.8, 5)),
    ):
        add_tube(distance, frame.grid, frame.warp(path), taper, margin=6.0)
    return Airways(right, left, distance)


# ---------------------------------------------------------------------- paint


def paint_mediastinum(frame: Frame, rng: np.random.Generator, volume, heart: Heart, vessels: np.ndarray) -> None:
    """Paints heart, great vessels, oesophagus, nodes and neck over the fat inside the thorax, in place."""
    _paint_heart(frame, rng, volume, heart)
    blood = np.float32(frame.who.blood_hu)
    y, z = frame.at(frame.centre_y, 0.42), frame.height(0.42)
    left_atrium = ellipsoid(*_less(frame, (4, y + 12, z)), np.array([34, 18, 24]) * frame.who.size)
    paint(frame.grid, volume, left_atrium, blood)
    blend(volume, coverage(vessels), blood)
    _paint_small_parts(frame, rng, volume, vessels)


def _paint_heart(frame: Frame, rng: np.random.Generator, volume, heart: Heart) -> None:
    grid, contrast = frame.grid, frame.who.contrast
    texture = 4 * random_field(rng, grid, 14.0)
    paint(grid, volume, heart.whole, (95 if contrast else 46) + texture)
    if contrast:
        chambers = _chambers(frame, heart) + np.float32(1.5) * random_field(rng, grid, 18.0)
        chambers = np.maximum(chambers, heart.whole + 3)
        paint(grid, volume, chambers, np.float32(0.93 * frame.who.blood_hu), 4.0)
    for groove in _grooves(frame, rng, heart):
        # the fat is a wedge, 5 mm wide at the surface and 13 mm deep, with a coronary vessel in it
        width = np.float32(5) * np.clip(1 + heart.whole / 13, 0, 1)
        wedge = np.maximum(np.maximum(np.abs(groove) - width, heart.whole), -12 - heart.whole)
        paint(grid, volume, wedge, np.float32(-85), 2.0)
        vessel = np.sqrt(groove**2 + (heart.whole + 5) ** 2) - np.float32(1.4)
        paint(grid, volume, vessel, np.float32(frame.who.blood_hu), 2.8)


def _chambers(frame: Frame, heart: Heart) -> np.ndarray:
    x, y, z = heart.centre
    size = frame.who.size
    left = ellipsoid(*_less(frame, (x + 20, y + 14, z - 8)), np.array([28, 23, 36]) * size, heart.angle)
    right = ellipsoid(*_less(frame, (x - 2, y - 24, z - 2)), np.array([36, 18, 38]) * size, heart.angle)
    atrium = ellipsoid(*_less(frame, (x - 38 * size, y + 12, z + 10)), np.array([26, 29, 35]) * size)
    return np.minimum(np.minimum(left, right), atrium)


def _grooves(frame: Frame, rng: np.random.Generator, heart: Heart) -> list[np.ndarray]:
    """Distances to the wavy planes between atria and ventricles, and between the ventricles."""
    across, along = turn(frame.x - heart.centre[0], frame.y - heart.centre[1], heart.angle)
    up = frame.z - heart.centre[2]
    wave = random_field(rng, frame.grid, 30.0)
    between_atria = across + np.float32(0.42 * heart.half_axes[0]) + np.float32(0.35) * up + 3 * wave
    between_ventricles = along + np.float32(0.25 * heart.half_axes[1]) - np.float32(0.3) * up - 3 * wave
    # the second groove ends at the first
    return [between_atria, np.maximum(between_ventricles, -across)]


def _paint_small_parts(frame: Frame, rng: np.random.Generator, volume, vessels: np.ndarray) -> None:
    """Oesophagus, thyroid, muscles of the neck, and 70 short tubes for nodes and small vessels."""
    grid, z = frame.grid, frame.height
    y, low, mid = frame.at(frame.centre_y, 0.6) + 28, frame.at(frame.spine_y, 0.0), frame.at(frame.spine_y, 0.3)
    distance = grid.full(FAR_MM)
    gullet = spline(((8, y, z(1.1)), (7, y + 3, z(0.62)), (6, mid - 34, z(0.3)), (14, low - 44, z(0.1))), 10)
    add_tube(distance, grid, frame.warp(gullet), 6.8)
    for _ in range(70):
        t = rng.uniform(0.35, 1.02)
        centre = np.array([rng.normal(0, 20), frame.at(frame.centre_y, t) + rng.normal(0, 26), z(t)])
        high = t > 0.8
        half = rng.normal(0, 1, 3) * (3, 3, 5) * (1 + high)
        add_tube(
            distance, grid, frame.warp(np.stack([centre - half, centre + half])), rng.uniform(1.2, 4.2), margin=2.0
        )
    neck_y = frame.at(frame.centre_y, 0.95)
    for side in (-1, 1):
        thyroid = (side * 15, neck_y - 8, z(0.93)), (side * 17, neck_y - 8, z(1.06))
        longus = (side * 13, frame.at(frame.spine_y, 0.9) - 19, z(0.84)), (
            side * 16, frame.at(frame.spine_y, 0.98) - 18, 280)  # fmt: skip
        scalenus = (side * 30, neck_y - 2, z(0.92)), (side * 40, neck_y + 10, z(1.06))
        for path, radius in ((thyroid, 8.0), (longus, 7.0), (scalenus, 8.0)):
            add_tube(distance, grid, frame.warp(path), radius, margin=2.0)
    outside = np.maximum(grid.up(frame.cage), 1 - vessels)
    blend(volume, coverage(np.maximum(distance, outside)), np.float32(42))


def paint_airways(volume: np.ndarray, airways: Airways, lung_cover: np.ndarray) -> None:
    """Paints walls (outside the lungs, which have their own) and lumen of the central airways, in place."""
    blend(volume, coverage(airways.distance - np.float32(WALL_MM)) * (1 - lung_cover), np.float32(AIRWAY_WALL_HU))
    blend(volume, coverage(airways.distance), np.float32(AIRWAY_HU))
