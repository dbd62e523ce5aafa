"""Who the patient is, and the frame that all organs are built in: profiles over height and one warp for everything."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage
from scipy.interpolate import PchipInterpolator

from lungsynth.cohort.phantom.grid import COARSE_PX, Grid, ellipse, random_field

SPINE_DEPTH_MM = 31.0
"""The vertebral body's centre lies this far before the back end of the thorax."""


@dataclass(frozen=True)
class Physique:
    """What is drawn once for a patient: factors without unit, heights in mm above the lowest slice, HU."""

    size: float
    depth: float
    fat: float
    male: bool
    contrast: bool
    blood_hu: float
    base_mm: float
    apex_mm: float
    kyphosis_mm: float
    tilt_mm: float
    """How much further the ribs fall from back to front than in the mean patient."""
    vertebra_mm: float
    """Height of a vertebra with its disc, and so the distance between ribs."""
    dome: float
    """Relative height of the right dome of the diaphragm: low after a deep breath."""
    septum_mm: float
    """Where the thin wall between the lungs stands before the heart, from the midline to the left."""


def draw_physique(rng: np.random.Generator, grid: Grid) -> Physique:
    """A patient. A larger chest is larger in all directions, with some freedom in each."""
    build = rng.uniform(-1, 1)
    base = rng.uniform(3, 12)
    apex = grid.height_mm - 18 + 6 * build + rng.uniform(-6, 6)
    contrast = bool(rng.random() < 0.45)
    return Physique(
        size=1.02 + 0.095 * build + rng.uniform(-0.02, 0.02),
        depth=1.02 + 0.06 * build + rng.uniform(-0.05, 0.05),
        fat=rng.uniform(0, 1) * (1 - 0.3 * max(0.0, build)),
        male=bool(rng.random() < 0.55),
        contrast=contrast,
        blood_hu=rng.uniform(160, 300) if contrast else rng.uniform(36, 46),
        base_mm=base,
        apex_mm=apex,
        kyphosis_mm=rng.uniform(6, 16),
        tilt_mm=rng.uniform(-8, 8),
        # twelve vertebrae from the lowest sulcus to the apex, roughly
        vertebra_mm=(apex - base) * rng.uniform(0.083, 0.090),
        dome=rng.uniform(0.225, 0.365),
        septum_mm=rng.uniform(-6, 8),
    )


@dataclass(frozen=True)
class Frame:
    """The patient's anatomy in relative heights t: 0 at the lowest sulcus, 1 at the apex of the lungs."""

    grid: Grid
    who: Physique
    shift: tuple[np.ndarray, np.ndarray, np.ndarray]
    """The warp along x, y and z, coarse fields in mm: organs are evaluated at the shifted coordinates."""

    @cached_property
    def t(self) -> np.ndarray:
        """Relative height of each slice (slices, 1, 1)."""
        who = self.who
        return ((self.grid.levels - who.base_mm) / (who.apex_mm - who.base_mm)).astype(np.float32)[:, None, None]

    @cached_property
    def x(self) -> np.ndarray:
        return self.grid.coarse_axis[None, None, :] + self.shift[0]

    @cached_property
    def y(self) -> np.ndarray:
        return self.grid.coarse_axis[None, :, None] + self.shift[1]

    @cached_property
    def z(self) -> np.ndarray:
        return self.grid.levels[:, None, None] + self.shift[2]

    @cached_property
    def level(self) -> np.ndarray:
        """Relative height after the warp, a coarse field."""
        who = self.who
        return (self.z - np.float32(who.base_mm)) / np.float32(who.apex_mm - who.base_mm)

    def profile(self, points) -> np.ndarray:
        """A monotone cubic curve through (t, value) points at each slice: (slices, 1, 1)."""
        points = np.asarray(points, float)
        curve = PchipInterpolator(points[:, 0], points[:, 1])
        return curve(np.clip(self.t, points[0, 0], points[-1, 0])).astype(np.float32)

    @cached_property
    def from_septum(self) -> np.ndarray:
        """mm to the left (negative: to the right) of the plane that separates the lungs, a coarse field."""
        return self.x - np.float32(self.who.septum_mm) * np.clip((0.86 - self.level) / 0.08, 0, 1)

    @cached_property
    def half_width(self) -> np.ndarray:
        """Of the thorax, inside the ribs."""
        points = ((-0.1, 127), (0.1, 132), (0.3, 133), (0.5, 128), (0.65, 120), (0.78, 107), (0.88, 92))
        return self.profile((*points, (1, 60), (1.15, 48))) * np.float32(self.who.size)

    @cached_property
    def half_depth(self) -> np.ndarray:
        points = ((-0.1, 88), (0.2, 91), (0.45, 90), (0.62, 84), (0.78, 71), (0.9, 57), (1, 48), (1.15, 42))
        return self.profile(points) * np.float32(self.who.depth)

    @cached_property
    def centre_y(self) -> np.ndarray:
        """The upper chest lies further back."""
        back = self.who.kyphosis_mm
        return self.profile(((-0.1, -6), (0.3, -3), (0.6, 2), (0.85, back), (1.1, back + 4)))

    @cached_property
    def spine_y(self) -> np.ndarray:
        return self.centre_y + self.half_depth - np.float32(SPINE_DEPTH_MM)

    @cached_property
    def cage(self) -> np.ndarray:
        """Distance to the thorax, a superellipse 7 % wider at the back."""
        y = self.y - self.centre_y
        return ellipse(self.x * self.egg, y, self.half_width, self.half_depth, 2.2)

    @cached_property
    def egg(self) -> np.ndarray:
        return 1 - np.float32(0.07) * np.clip((self.y - self.centre_y) / self.half_depth, -1, 1)

    def height(self, t: float) -> float:
        """Relative height to mm."""
        return self.who.base_mm + t * (self.who.apex_mm - self.who.base_mm)

    def at(self, profile: np.ndarray, t: float) -> float:
        """A profile's value at a relative height."""
        return float(self.at_mm(profile, self.height(t)))

    def at_mm(self, profile: np.ndarray, z_mm):
        """A profile's value at heights in mm (a number or an array)."""
        return np.interp(z_mm, self.grid.levels, profile.ravel())

    def warp(self, points) -> np.ndarray:
        """Points (n, 3) of the unwarped anatomy to where the scan shows them."""
        points = np.asarray(points, float)
        middle = (COARSE_PX - 1) / 2
        in_plane = points[:, :2] / self.grid.coarse_mm + middle
        index = np.stack([points[:, 2] / self.grid.slice_mm, in_plane[:, 1], in_plane[:, 0]])
        limit = np.array(self.grid.coarse_shape)[:, None] - 1
        index = np.clip(index, 0, limit)
        return points - np.stack([ndimage.map_coordinates(s, index, order=1) for s in self.shift], 1)


def make_frame(rng: np.random.Generator, grid: Grid) -> Frame:
    """Draws a patient and the warp (three random fields, knots 75 mm, sd 3 mm)."""
    who = draw_physique(rng, grid)
    shift = tuple(np.float32(sd) * random_field(rng, grid, 75.0) for sd in (3.2, 2.6, 3.0))
    return Frame(grid, who, shift)
