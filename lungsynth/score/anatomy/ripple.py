"""Ripple: a regular wave over the whole picture, as networks that enlarge images leave it."""

import numpy as np
from scipy import fft
from scipy import ndimage as ndi

from lungsynth.ct.hu import HU_RANGE
from lungsynth.ct.shape import largest_part
from lungsynth.score.anatomy.chest import SOFT_HU

SMOOTH_PX = 4.0
EDGE_HU = 200.0
"""What differs more from its surroundings is the edge of an organ: its spectrum would hide any wave."""
LEAST_SD_HU = 5.0
"""Below the noise of CT: what is smoother than that is not enlarged to it."""
LEAST_PX = 1000
PADDED = 1.5
"""The spectrum is taken this much finer than the image has pixels, since a period need not fill it a whole number of
times."""
PEAK, AROUND = 3, 15
"""A peak reaches over so many of these finer frequencies; the ground is what lies between it and this far."""
LONGEST_PX = 8.5
"""A period of eight pixels, and a little more for the width of its peak."""
TINY = 1e-3
"""Power far below that of rounding HU, so that its logarithm is a number."""


def ripple_db(hu: np.ndarray) -> float:
    """How far the highest peak of the power spectrum stands above the ground round it, at periods of 2 to 8 pixels.

    hu: [h, w], the image's own pixels. What is left of the body, lungs and all, without its smooth part and its edges
    is divided by its local sd, so that soft tissue and lung, vessels and all, weigh alike; a wave of one direction
    and a chequerboard, which fill the picture, add up, and grain does not. The ground is the mean of the log spectrum.
    dB: some 12 for CT (of thousands of frequencies of plain noise one is so high), 0 for an image without any grain.
    NaN where fewer than 1000 pixels of body are left.
    """
    grain = _grain(np.clip(np.asarray(hu, np.float32), *HU_RANGE))
    if grain is None:
        return float("nan")
    sides = [fft.next_fast_len(int(PADDED * side)) for side in grain.shape]
    log = 10 * np.log10(np.maximum(np.abs(fft.fft2(grain, sides)) ** 2, TINY))
    wide, narrow = ((2 * reach + 1) ** 2 for reach in (AROUND, PEAK))
    around, peak = (ndi.uniform_filter(log, 2 * reach + 1, mode="wrap") for reach in (AROUND, PEAK))
    ground = (around * wide - peak * narrow) / (wide - narrow)
    cycles = np.hypot(*np.meshgrid(*map(fft.fftfreq, sides), indexing="ij"))
    return float((log - ground)[cycles >= 1 / LONGEST_PX].max())


def _grain(image: np.ndarray) -> np.ndarray | None:
    """The quiet parts of the body without their smooth part, in units of their local sd; 0 elsewhere."""

    def smooth(values: np.ndarray) -> np.ndarray:
        return ndi.gaussian_filter(values, SMOOTH_PX)

    body = ndi.binary_fill_holes(largest_part(image > SOFT_HU))
    quiet = (ndi.maximum_filter(np.abs(image - smooth(image)), 3) < EDGE_HU) & body
    weight = smooth(quiet.astype(np.float32))
    quiet &= weight > 0.3
    if np.count_nonzero(quiet) < LEAST_PX:
        return None
    mean = smooth(image * quiet) / np.maximum(weight, 0.1)
    grain = (image - mean) * quiet
    return grain / (np.sqrt(smooth(grain**2) / np.maximum(weight, 0.1)) + LEAST_SD_HU)
