"""Ripple: a regular wave over the whole picture, as networks that enlarge images leave it."""

import numpy as np
from scipy import ndimage as ndi

from lungsynth.ct.hu import HU_RANGE
from lungsynth.ct.shape import largest_part
from lungsynth.score.anatomy.chest import SOFT_HU
from lungsynth.score.anatomy.texture import windows

WINDOW_PX, STEP_PX, SMOOTH_PX = 32, 8, 4.0
EDGE_HU = 50.0
"""What differs more from its surroundings is an edge or a vessel; a ripple of 15 HU in the noise of CT does not."""
LEAST_BODY = 0.8
TINY = 1e-3
"""Power far below that of rounding HU, so that its logarithm is a number."""
LONGEST_PX = 8.5
"""A period of eight pixels, and a little more for the width of its peak."""
PEAK, ROUND = 2, 4
"""A peak of a tapered window reaches over so many frequencies; what lies between it and this far is the ground."""


def ripple_db(hu: np.ndarray) -> float:
    """How far the highest peak of the power spectrum stands above the ground round it, at periods of 2 to 8 pixels.

    hu: [h, w], the image's own pixels. Edges and vessels are left out, windows of 32 pixels in the body (lungs and
    all) are tapered and their power averaged; the ground is the median of the log spectrum round each frequency.
    A wave of one direction and a chequerboard are seen alike. dB; NaN where the body holds no window, or no grain.
    """
    image = np.clip(np.asarray(hu, np.float32), *HU_RANGE)
    body = ndi.binary_fill_holes(largest_part(image > SOFT_HU))
    power = _power(_grain(image, body), body)
    if power is None:
        return float("nan")
    log = 10 * np.log10(np.maximum(power, TINY))
    box = np.abs(np.arange(-ROUND, ROUND + 1))
    ground = ndi.median_filter(log, footprint=np.maximum.outer(box, box) > PEAK, mode="wrap")
    cycles = np.hypot(*np.meshgrid(*[np.fft.fftfreq(WINDOW_PX)] * 2))
    return float((log - ground)[cycles >= 1 / LONGEST_PX].max())


def _grain(image: np.ndarray, body: np.ndarray) -> np.ndarray:
    """What is left of the quiet parts of the body without their smooth part; 0 elsewhere."""

    def smooth(values: np.ndarray) -> np.ndarray:
        return ndi.gaussian_filter(values, SMOOTH_PX)

    quiet = (ndi.maximum_filter(np.abs(image - smooth(image)), 3) < EDGE_HU) & body
    weight = smooth(quiet.astype(np.float32))
    mean = smooth(image * quiet) / np.maximum(weight, 0.1)
    return np.clip((image - mean) * (quiet & (weight > 0.3)), -EDGE_HU, EDGE_HU)


def _power(grain: np.ndarray, body: np.ndarray) -> np.ndarray | None:
    """Mean power spectrum of the windows in the body, [32, 32]; None where there is none, or nothing in them."""
    inside = windows(body, WINDOW_PX, STEP_PX).mean((1, 2)) >= LEAST_BODY
    chosen = windows(grain, WINDOW_PX, STEP_PX)[inside]
    taper = np.sin(np.pi * (np.arange(WINDOW_PX) + 0.5) / WINDOW_PX) ** 2
    if not chosen.any():
        return None
    return (np.abs(np.fft.fft2(chosen * np.outer(taper, taper))) ** 2).mean(0)
