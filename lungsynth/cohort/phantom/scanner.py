"""The scanner: couch, the sheet on the chest, blur, noise, streaks at the shoulders, circle of reconstruction."""

import numpy as np
from scipy import ndimage

from lungsynth.cohort.phantom.body import fat_in_front
from lungsynth.cohort.phantom.frame import Frame
from lungsynth.cohort.phantom.grid import white_field

LOWEST_HU, HIGHEST_HU = -1024, 3071
BLUR_MM, NOISE_MM = 0.45, (0.9, 0.65, 0.65)
STREAKS_FROM = 0.78
"""Relative height above which the shoulders cause streaks."""


def scan(frame: Frame, rng: np.random.Generator, volume: np.ndarray, skin: np.ndarray, body: np.ndarray) -> np.ndarray:
    """The ideal chest (float32 HU, changed in place) as a scanner shows it: int16 HU.

    `skin` is how far the body covers each voxel, `body` the coarse distance to the skin.
    """
    grid = frame.grid
    _add_couch(frame, rng, volume, skin)
    _add_sheet(frame, rng, volume, skin, grid.up(body))
    for axis in (1, 2):
        volume = ndimage.gaussian_filter1d(volume, BLUR_MM / grid.pixel_mm, axis=axis, truncate=3)
    x, y = grid.axis[None, None, :], grid.axis[None, :, None]
    squared = x * x + y * y
    noise = white_field(rng, grid, NOISE_MM)
    noise *= np.float32(rng.uniform(10.5, 14.5)) * (np.float32(0.75) + np.float32(0.25) * np.exp(-squared / 110**2))
    volume += noise
    _add_streaks(frame, rng, volume, skin)
    outside = np.broadcast_to(squared > (grid.field_mm / 2 - 1) ** 2, grid.shape)
    volume[outside] = LOWEST_HU
    return np.clip(np.rint(volume), LOWEST_HU, HIGHEST_HU).astype(np.int16)


def _add_couch(frame: Frame, rng: np.random.Generator, volume: np.ndarray, skin: np.ndarray) -> None:
    """A faint mat under the back, and the couch: foam in a bright curved shell."""
    x, y = frame.grid.axis[None, None, :], frame.grid.axis[None, :, None]
    top = np.float32(frame.spine_y.max() + 44 + 0.35 * fat_in_front(frame))
    mat = y - (top - x * x / 900)
    shell = y - (top + 22 - x * x / 700)
    couch = np.clip(1 - np.abs(mat) / np.float32(1.6), 0, 1) * (np.abs(x) < 160) * np.float32(420)
    bright = np.float32(rng.uniform(1250, 1500))
    couch += np.clip(np.float32(1.35) - np.abs(shell) / np.float32(1.9), 0, 1) * (np.abs(x) < 138) * bright
    couch += ((mat > 0) & (shell < 0) & (np.abs(x) < 140)) * np.float32(22)
    rows = np.flatnonzero(couch.any((0, 2)))
    rows = slice(rows[0], rows[-1] + 1)
    volume[:, rows] += (1 - skin[:, rows]) * couch[:, rows]


def _add_sheet(frame: Frame, rng: np.random.Generator, volume, skin: np.ndarray, body: np.ndarray) -> None:
    """A thin wavy sheet that lies a few mm above the chest."""
    grid = frame.grid
    rows = slice(0, int(np.searchsorted(grid.axis, 10)))
    wave = np.cumsum(rng.normal(0, 1, grid.size_px)) * np.sqrt(grid.pixel_mm / 1.4)
    wave = ndimage.gaussian_filter1d(wave, 5.6 / grid.pixel_mm) * 0.9
    lift = (5 + 1.5 * np.abs(wave - wave.mean())).astype(np.float32)
    thread = np.clip(1 - np.abs(body[:, rows] - lift) / np.float32(1.4), 0, 1)
    volume[:, rows] += thread * (1 - skin[:, rows]) * np.float32(80)


def _add_streaks(frame: Frame, rng: np.random.Generator, volume: np.ndarray, skin: np.ndarray) -> None:
    """Few photons come through the shoulders: noise smeared by 10 mm from side to side."""
    grid = frame.grid
    t = frame.t.ravel()
    first = int(np.argmax(t > STREAKS_FROM))
    sigma = 9.8 / grid.pixel_mm
    noise = rng.standard_normal((grid.slices - first, grid.size_px, grid.size_px), np.float32)
    noise = ndimage.gaussian_filter1d(noise, sigma, axis=2, truncate=3)
    # sd of white noise after a Gaussian of sigma: (2 sqrt(pi) sigma)^-1/2
    unit = np.sqrt(2 * np.sqrt(np.pi) * sigma)
    strength = unit * rng.uniform(4, 9) * np.clip((t[first:] - STREAKS_FROM) / 0.15, 0, 1)
    volume[first:] += noise * strength.astype(np.float32)[:, None, None] * skin[first:]
