"""What fills the lungs: aerated tissue that is denser towards the back, fissures, vessels and bronchi."""

import numpy as np

from lungsynth.cohort.phantom.frame import Frame
from lungsynth.cohort.phantom.grid import blend, coverage, random_field, white_field
from lungsynth.cohort.phantom.lungs import FISSURE_HU, MINOR_FISSURE_HU, Lungs
from lungsynth.cohort.phantom.vessels import Vessels

BRONCHIAL_WALL_HU, LUMEN_HU = -30.0, -985.0


def make_parenchyma(frame: Frame, rng: np.random.Generator, lungs: Lungs, vessels: Vessels) -> np.ndarray:
    """HU of the lungs on the scan's grid (what it holds outside the lungs has no meaning)."""
    grid = frame.grid
    base, slope = rng.uniform(-905, -855), rng.uniform(1.4, 4.0)
    back = grid.coarse_axis[None, :, None] - np.float32(np.median(frame.centre_y))
    mottle = np.float32(9) * random_field(rng, grid, 11.0) + np.float32(7) * random_field(rng, grid, 40.0)
    tissue = grid.up(np.float32(base) + np.float32(slope / 10) * back + mottle)
    tissue += np.float32(rng.uniform(19, 24)) * white_field(rng, grid, (1.3, 1.0, 1.0))
    _add_fissures(frame, tissue, lungs)
    blood = np.float32(0.8 * frame.who.blood_hu if frame.who.contrast else 45)
    blend(tissue, np.minimum(vessels.thin, 1), blood)
    blend(tissue, coverage(vessels.wall), np.float32(BRONCHIAL_WALL_HU))
    blend(tissue, coverage(vessels.lumen), np.float32(LUMEN_HU))
    blend(tissue, coverage(vessels.thick), blood)
    return tissue


def _add_fissures(frame: Frame, tissue: np.ndarray, lungs: Lungs) -> None:
    """Faint lines about 1 mm wide; the minor fissure, on the right alone, lies flat and is wider and fainter."""
    major = frame.grid.up(lungs.major)
    tissue += np.float32(FISSURE_HU) * np.exp(-((major / np.float32(0.9)) ** 2))
    right = slice(0, frame.grid.size_px // 2)
    minor = frame.grid.up(lungs.minor[:, :, : lungs.minor.shape[2] // 2])
    line = np.exp(-((minor / np.float32(1.6)) ** 2)) * (major[:, :, right] > 0)
    tissue[:, :, right] += np.float32(MINOR_FISSURE_HU) * line
