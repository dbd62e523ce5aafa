"""Nodules: what kinds a patient has, where they lie, their true shapes, and how they look."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from lungsynth.cohort.phantom.grid import Grid
from lungsynth.cohort.phantom.vessels import Tree
from lungsynth.study.errors import DataError
from lungsynth.study.stages.cohort import Phantom

DIAMETERS_MM = (
    4.01, 4.36, 4.57, 4.84, 5.05, 5.24, 5.51, 5.75, 6.00, 6.28, 6.61,
    7.00, 7.60, 8.14, 8.84, 9.87, 11.31, 13.05, 15.68, 18.99, 27.44,
)  # fmt: skip
"""Quantiles 0, .05 ... 1 of diameter_mm in LUNA16's annotations.csv, of its 1,135 nodules of 4 to 30 mm."""

GROUND_GLASS_SHARE = 0.30
CALCIFIED_SHARE = 0.12
TEXTURES = {"solid": "solid", "spiculated": "solid", "part_solid": "part_solid", "ground_glass": "ground_glass"}
SMALLEST_MM = {"solid": 0.0, "spiculated": 7.0, "part_solid": 6.5, "ground_glass": 5.0}
"""Below this diameter a kind could not be told from a plain nodule, so that larger ones are preferred for it."""
REACH = {"solid": 1.35, "spiculated": 2.0, "part_solid": 1.3, "ground_glass": 1.4}
"""Radii within which a nodule of this kind shows."""
TRIES = 600


@dataclass(frozen=True)
class Nodule:
    """A nodule of a patient: the truth.

    `centre_mm` is the centroid of the true shape (LPS), `diameter_mm` that of the sphere of the same volume; `kind` is
    solid, spiculated, part_solid or ground_glass, `texture` the kind without spiculation, `attachment` isolated,
    juxta_pleural or juxta_vascular; `mean_hu` is the mean of the scan in the nodule's label.
    """

    centre_mm: tuple[float, float, float]
    diameter_mm: float
    kind: str
    texture: str
    attachment: str
    mean_hu: float = float("nan")


@dataclass(frozen=True)
class Wanted:
    diameter_mm: float
    kind: str
    attachment: str

    @property
    def radius(self) -> float:
        return self.diameter_mm / 2


@dataclass(frozen=True)
class Shape:
    """An ellipsoid with cosine bumps and, on some, tapered spicules; lengths in radii."""

    axes: np.ndarray
    bumps: tuple[tuple[float, float, np.ndarray, float], ...]
    """(amplitude, frequency, direction, phase) of each bump."""
    spicules: tuple[tuple[np.ndarray, float], ...]
    """(direction, length) of each spicule."""

    def distance(self, x, y, z, radius: float) -> np.ndarray:
        """Approximate signed distance in mm of points around the centre."""
        away = np.sqrt(x * x + y * y + z * z) + np.float32(1e-3)
        bump = np.ones_like(away)
        for amplitude, frequency, (a, b, c), phase in self.bumps:
            wave = (x * np.float32(a) + y * np.float32(b) + z * np.float32(c)) / away
            bump += np.float32(amplitude) * np.cos(np.float32(frequency) * wave + np.float32(phase))
        a, b, c = (np.float32(v) for v in self.axes)
        distance = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2) - np.float32(radius) * bump
        thickness = min(1.0, 0.45 + radius / 9)
        for (a, b, c), share in self.spicules:
            length = np.float32(radius * share + 1.5)
            along = np.clip((x * np.float32(a) + y * np.float32(b) + z * np.float32(c)) / length, 0, 1)
            foot = along * length
            gap = (x - foot * np.float32(a)) ** 2 + (y - foot * np.float32(b)) ** 2 + (z - foot * np.float32(c)) ** 2
            taper = (np.float32(1.35) * (1 - along) + np.float32(0.35)) * np.float32(thickness)
            distance = np.minimum(distance, np.sqrt(gap) - taper)
        return distance


def draw_shape(rng: np.random.Generator, kind: str) -> Shape:
    """Axes of .78 to 1.2 of the radius, bumps of 13 % (solid) or 17 %, 7 to 12 spicules where spiculated."""
    axes = rng.uniform(0.78, 1.2, 3)
    axes /= np.prod(axes) ** (1 / 3)
    amplitude = 0.13 if kind == "solid" else 0.17
    bumps = tuple(
        (amplitude / np.sqrt(f), float(f), rng.normal(0, 1, 3), rng.uniform(0, 2 * np.pi)) for f in (1, 2, 2, 3, 4, 5)
    )
    spicules = []
    for _ in range(rng.integers(7, 13) if kind == "spiculated" else 0):
        direction = rng.normal(0, 1, 3) * (1, 1, 0.6)
        spicules.append((direction / np.sqrt((direction**2).sum()), rng.uniform(1.5, 2.4)))
    return Shape(axes, bumps, tuple(spicules))


# ------------------------------------------------------------ what is wanted


def draw_wanted(rng: np.random.Generator, settings: Phantom) -> list[Wanted]:
    """Diameters from LUNA16's distribution; kinds and attachments dealt to them. Largest first.

    Each patient gets one from every n-th part of the distribution: with free draws a few patients hold nearly all of
    the large nodules, and two roles of a small cohort then differ by chance more than any generator could.
    """
    count = int(rng.integers(settings.nodules_min, settings.nodules_max + 1))
    levels = np.linspace(0, 1, len(DIAMETERS_MM))
    low, high = np.interp((settings.diameter_min_mm, settings.diameter_max_mm), DIAMETERS_MM, levels)
    parts = (np.arange(count) + rng.uniform(size=count)) / count
    sizes = np.interp(low + (high - low) * parts, levels, DIAMETERS_MM)
    sizes = list(np.clip(sizes, settings.diameter_min_mm, settings.diameter_max_mm))
    glass = int(GROUND_GLASS_SHARE * count + rng.uniform())
    others = rng.choice(("part_solid", "spiculated", "solid"), count - glass, p=(0.17, 0.20, 0.63))
    kinds = ["ground_glass"] * glass + [str(kind) for kind in others]
    wanted = []
    for kind in sorted(kinds, key=lambda kind: -SMALLEST_MM[kind]):
        fit = [size for size in sizes if size >= SMALLEST_MM[kind]] or [max(sizes)]
        size = fit[int(rng.integers(len(fit)))]
        sizes.remove(size)
        attachment = rng.choice(("isolated", "juxta_pleural", "juxta_vascular"), p=(0.52, 0.26, 0.22))
        wanted.append(Wanted(float(size), kind, str(attachment)))
    return sorted(wanted, key=lambda w: -w.diameter_mm)


# ------------------------------------------------------------------ placement


def place(
    rng: np.random.Generator, grid: Grid, wanted: Wanted, lung: np.ndarray, thick: np.ndarray, trees: list[Tree], taken
) -> np.ndarray | None:
    """A centre (x, y, z in mm) for a nodule in the lung, clear of the (centre, reach) in `taken`; None if none fits."""
    reach = wanted.radius * REACH[wanted.kind]
    for _ in range(TRIES):
        tree = trees[int(rng.integers(len(trees)))]
        point = _near_vessel(rng, tree, wanted)
        index = np.rint(grid.index(point)).astype(int)
        edge = (int(np.ceil((reach + 2) / grid.slice_mm)), 4, 4)
        if (index < edge).any() or (index >= np.array(grid.shape) - edge).any():
            continue
        depth = -float(lung[tuple(index)])
        if wanted.attachment == "juxta_pleural":
            point = _to_wall(rng, grid, lung, index, point, depth, wanted.radius)
            if point is None:
                continue
        elif depth < wanted.radius * 1.15 + 2.5:
            continue
        if wanted.attachment == "isolated" and thick[tuple(index)] < 1.5:
            continue
        if all(np.sqrt(((point - c) ** 2).sum()) > reach + r + 4 for c, r in taken):
            return point
    return None


def _near_vessel(rng: np.random.Generator, tree: Tree, wanted: Wanted) -> np.ndarray:
    if wanted.attachment == "juxta_vascular":
        nodes = np.flatnonzero((tree.radius > 0.9) & (tree.radius < 2.4))
        return tree.points[rng.choice(nodes)] + rng.normal(0, 1, 3) * wanted.radius * 0.35
    return tree.points[rng.integers(1, len(tree.points))] + rng.uniform(-3, 3, 3)


def _to_wall(rng, grid: Grid, lung: np.ndarray, index, point: np.ndarray, depth: float, radius: float):
    """Moves a point along the wall's normal until .35 to .75 of the radius is left to the pleura."""
    z, y, x = index
    slope = np.array([lung[z, y, x + 2] - lung[z, y, x - 2], lung[z, y + 2, x] - lung[z, y - 2, x]])
    slope = slope / (4 * grid.pixel_mm)
    steep = np.hypot(*slope)
    if not 1 <= depth <= 25 or steep < 0.6:
        return None
    return point + np.r_[slope / steep * (depth - radius * rng.uniform(0.35, 0.75)), 0]


# ------------------------------------------------------------------ rendering


@dataclass(frozen=True)
class Samples:
    """Points finer than voxels in a box of the scan: `parts` (z, y, x) a voxel, coordinates from the centre."""

    box: tuple[slice, slice, slice]
    parts: tuple[int, int, int]
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    lung: np.ndarray

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Means over the voxels of the box."""
        a, b, c = self.parts
        shape = (values.shape[0] // a, a, values.shape[1] // b, b, values.shape[2] // c, c)
        return values.reshape(shape).mean((1, 3, 5), dtype=np.float32)


def take_samples(grid: Grid, lung: np.ndarray, centre: np.ndarray, reach: float) -> Samples:
    """Samples of a box around a nodule, with the distance to the lung at each."""
    fine = max(0.5, reach / 24)
    in_plane, across = (max(2, round(step / fine)) for step in (grid.pixel_mm, grid.slice_mm))
    parts = (across, in_plane, in_plane)
    box = grid.box(centre - reach, centre + reach)
    places = []
    for span, count in zip(box, parts, strict=True):
        offset = (np.arange(count) + 0.5) / count - 0.5
        places.append((np.arange(span.start, span.stop)[:, None] + offset).ravel())
    local = np.meshgrid(*(p - s.start for p, s in zip(places, box, strict=True)), indexing="ij", sparse=False)
    depth = ndimage.map_coordinates(lung[box], local, order=1, mode="nearest")
    middle = (grid.size_px - 1) / 2
    z = (places[0] * grid.slice_mm - centre[2]).astype(np.float32)[:, None, None]
    y = ((places[1] - middle) * grid.pixel_mm - centre[1]).astype(np.float32)[:, None]
    x = ((places[2] - middle) * grid.pixel_mm - centre[0]).astype(np.float32)
    return Samples(box, parts, x, y, z, depth)


def fit_shape(grid: Grid, samples: Samples, shape: Shape, wanted: Wanted) -> tuple[np.ndarray, float, np.ndarray]:
    """Distances to the shape, scaled until its part inside the lung has the wanted volume.

    Returns distances at the samples, the equivalent diameter of what lies in the lung, and its centroid (mm from the
    centre).
    """
    voxel = grid.pixel_mm**2 * grid.slice_mm / np.prod(samples.parts)
    radius, low, high = wanted.radius, 0.6 * wanted.radius, 1.35 * wanted.radius
    for _ in range(3):
        distance = shape.distance(samples.x, samples.y, samples.z, radius)
        inside = (distance < 0) & (samples.lung < 0)
        volume = float(inside.sum()) * voxel
        diameter = float((6 * volume / np.pi) ** (1 / 3))
        if abs(diameter - wanted.diameter_mm) < 0.02 * wanted.diameter_mm:
            break
        radius = float(np.clip(radius * wanted.diameter_mm / max(diameter, 1.0), low, high))
    count = max(1, int(inside.sum()))
    centroid = np.array([float((inside * c).sum(dtype=np.float64)) / count for c in (samples.x, samples.y, samples.z)])
    return distance, diameter, centroid


def _glass(rng: np.random.Generator, patch: np.ndarray, target: float) -> np.ndarray:
    """Aerated tissue filled up to `target` HU, in patches, so that vessels show through."""
    fill = np.float32(target + 870)
    hu = patch + fill * np.clip((np.float32(-200) - patch) / 600, 0, 1)
    mottle = ndimage.gaussian_filter(rng.standard_normal(patch.shape, np.float32), (0.7, 1.3, 1.3))
    return hu + np.float32(0.28) * fill * mottle / mottle.std()


def render(
    rng: np.random.Generator, tissue: np.ndarray, samples: Samples, distance: np.ndarray, wanted: Wanted
) -> None:
    """Lays a nodule over the lung's tissue, in place."""
    patch = tissue[samples.box]
    ramp = {"ground_glass": 5.0, "part_solid": 3.6, "spiculated": 1.5, "solid": 1.3}[wanted.kind]
    ramp = np.float32(min(ramp, 0.6 * wanted.diameter_mm))
    cover = samples.mean(np.clip(np.float32(0.5) - distance / ramp, 0, 1))
    if wanted.kind in ("ground_glass", "part_solid"):
        hu = _glass(rng, patch, rng.uniform(-670, -470) if wanted.kind == "ground_glass" else rng.uniform(-640, -440))
    else:
        calcified = rng.random() < CALCIFIED_SHARE
        hu = np.float32(rng.uniform(300, 700) if calcified else rng.uniform(10, 60))
    patch += cover * (hu - patch)
    if wanted.kind == "part_solid":
        core = distance + np.float32(wanted.radius * rng.uniform(0.36, 0.52))
        away = np.sqrt(samples.x**2 + samples.y**2 + samples.z**2) + np.float32(1e-3)
        lobes = np.cos((3 * samples.x + 2 * samples.y) / away + np.float32(rng.uniform(0, 2 * np.pi)))
        core = core + np.float32(0.16 * wanted.radius) * lobes
        patch += samples.mean(np.clip(np.float32(0.5) - core / np.float32(1.2), 0, 1)) * (
            np.float32(rng.uniform(-20, 50)) - patch
        )


def add_nodules(
    rng: np.random.Generator, grid: Grid, settings: Phantom, tissue, lung: np.ndarray, thick, trees: list[Tree]
) -> tuple[list[Nodule], np.ndarray]:
    """Adds a patient's nodules to the lung's tissue (in place); their truth in grid mm, and the label volume (uint8).

    `lung` is the distance to the lungs and `thick` that to thick vessels, both on the scan's grid. A voxel belongs to
    a nodule where the true shape inside the lung fills more than half of it. Raises DataError if one cannot be placed.
    """
    labels = np.zeros(grid.shape, np.uint8)
    nodules, taken = [], []
    for wanted in draw_wanted(rng, settings):
        centre = place(rng, grid, wanted, lung, thick, trees, taken)
        while centre is None and wanted.diameter_mm > settings.diameter_min_mm:
            smaller = max(settings.diameter_min_mm, 0.85 * wanted.diameter_mm)
            wanted = replace(wanted, diameter_mm=smaller, attachment="isolated")
            centre = place(rng, grid, wanted, lung, thick, trees, taken)
        if centre is None:
            raise DataError(f"phantom: no room for nodule {len(nodules) + 1}; ask for fewer or smaller nodules")
        shape = draw_shape(rng, wanted.kind)
        samples = take_samples(grid, lung, centre, wanted.radius * (3.2 if shape.spicules else 1.9) + 4)
        distance, diameter, centroid = fit_shape(grid, samples, shape, wanted)
        render(rng, tissue, samples, distance, wanted)
        centroid = centroid + centre
        _label(grid, labels, samples, distance, centroid, len(nodules) + 1)
        place_mm = tuple(float(v) for v in centroid)
        nodules.append(Nodule(place_mm, diameter, wanted.kind, TEXTURES[wanted.kind], wanted.attachment))
        taken.append((centre, wanted.radius * REACH[wanted.kind]))
    return nodules, labels


def _label(grid: Grid, labels: np.ndarray, samples: Samples, distance: np.ndarray, centroid, number: int) -> None:
    inside = ((distance < 0) & (samples.lung < 0)).astype(np.float32)
    part = labels[samples.box]
    part[(samples.mean(inside) > 0.5) & (part == 0)] = number
    # a nodule thinner than a slice may fill no voxel by half: the one at its centre is its own in any case
    labels[tuple(np.rint(grid.index(centroid)).astype(int))] = number
