"""Grain of a slice: noise of soft tissue, texture of the lung, how sharp its edge is."""

from itertools import pairwise

import numpy as np

from lungsynth.score.anatomy.chest import GRID_MM, Chest

NAN = float("nan")
WINDOW_MM = 12.0
SOFT_HU, LEAST_WINDOWS, QUIETEST = (10.0, 380.0), 8, 30
"""Soft tissue with contrast and without; the noise is that of the quietest windows, in percent."""
MOST_SD_HU = 40.0
LAGS = 5
TEXTURE_PX, QUIET_PX = 32, 8
"""40 mm, the texture; 10 mm, as much as fits between vessels."""
CLIP_HU, VESSEL_HU = -650.0, -700.0
CYCLES_PER_MM = (0.04, 0.2)
EDGE_MM = 9.0
EDGE_LUNG_HU, EDGE_WALL_HU = -700.0, (-150.0, 120.0)


def windows(image: np.ndarray, side: int, step: int, inside: np.ndarray | None = None) -> np.ndarray:
    """Square windows [n, side, side] at every `step` pixels of an image [h, w]; `inside`: those all in the mask."""

    def cut(values: np.ndarray) -> np.ndarray:
        if min(values.shape) < side:
            return np.empty((0, side, side), values.dtype)
        return np.lib.stride_tricks.sliding_window_view(values, (side, side))[::step, ::step].reshape(-1, side, side)

    return cut(image) if inside is None else cut(image)[cut(inside).all((1, 2))]


def noise(chest: Chest) -> tuple[float, float]:
    """Sd (HU) and length (mm) of the noise in soft tissue, on the image's own pixels.

    Windows of 12 mm lose their plane; the quietest three tenths count. The length is the full width of the
    autocorrelation at half of its peak, along both axes. NaN where there are fewer than eight windows.
    """
    side = round(WINDOW_MM / chest.mm_per_px)
    if side < 3:
        return NAN, NAN
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    plane = np.stack([np.ones(side**2), rows.ravel(), columns.ravel()], 1)
    flat = windows(chest.pixels, side, side).reshape(-1, side**2)
    mean, sd = flat.mean(1), flat.std(1)
    flat = flat[(mean > SOFT_HU[0]) & (mean < SOFT_HU[1]) & (sd < MOST_SD_HU)]
    if len(flat) < LEAST_WINDOWS:
        return NAN, NAN
    level = (flat - flat @ np.linalg.pinv(plane).T @ plane.T).reshape(-1, side, side)
    sd = level.std((1, 2))
    quiet = sd <= np.percentile(sd, QUIETEST)
    return float(np.median(sd[quiet])), _length_px(level[quiet]) * chest.mm_per_px


def _length_px(level: np.ndarray) -> float:
    """Full width at half of the autocorrelation of windows [n, side, side] without a mean; NaN without any noise."""
    power, side = float(np.square(level).mean()), level.shape[1]
    if power < 1e-6:
        return NAN
    across = [(level[:, :, lag:] * level[:, :, : side - lag]).mean() for lag in range(min(LAGS, side))]
    down = [(level[:, lag:] * level[:, : side - lag]).mean() for lag in range(min(LAGS, side))]
    correlation = (np.array(across) + np.array(down)) / (2 * power)
    k = int(np.argmax(correlation < 0.5)) or len(correlation) - 1
    before, after = correlation[k - 1], correlation[k]
    return float(2 * (k - 1 + (before - 0.5) / max(before - after, 1e-6)))


def lung_texture(chest: Chest) -> tuple[float, float, float]:
    """Slope of the lung's power spectrum, sd (HU) over 40 mm, and sd (HU) of 10 mm between the vessels.

    The spectrum is that of 40 mm windows, clipped at -650 HU so that vessels do not rule it, over .04 to .2 cycles a
    mm, in log-log. NaN where fewer than four windows or six gaps between vessels fit into the lungs.
    """
    wide = np.minimum(windows(chest.hu, TEXTURE_PX, TEXTURE_PX // 2, chest.lungs), CLIP_HU)
    gaps = windows(chest.hu, QUIET_PX, QUIET_PX, chest.lungs)
    gaps = gaps[gaps.max((1, 2), initial=-np.inf) < VESSEL_HU]
    if len(wide) < 4 or len(gaps) < 6:
        return NAN, NAN, NAN
    sd = np.median(wide[:, 4:-4, 4:-4].std((1, 2)))
    return _slope(wide), float(sd), float(np.median(gaps.std((1, 2))))


def _slope(wide: np.ndarray) -> float:
    """Slope of the mean radial power spectrum of windows [n, side, side] on the grid."""
    side = wide.shape[1]
    taper = np.outer(np.hanning(side), np.hanning(side))
    power = (np.abs(np.fft.fft2((wide - wide.mean((1, 2), keepdims=True)) * taper)) ** 2).mean(0)
    cycles = np.hypot(*np.meshgrid(np.fft.fftfreq(side, GRID_MM), np.fft.fftfreq(side, GRID_MM)))
    bounds = np.linspace(*CYCLES_PER_MM, 9)
    rings = list(pairwise(bounds))
    means = np.array([power[(cycles >= low) & (cycles < high)].mean() for low, high in rings])
    if not means.all():
        return NAN
    return float(np.polyfit(np.log([(low + high) / 2 for low, high in rings]), np.log(means), 1)[0])


def edge_mm(chest: Chest) -> float:
    """Width over which the lung's outer edge rises from 10 to 90 % of the step to the chest wall, mm.

    Along the rows of the image's own pixels, where a lung is widest, on both sides; the lower quartile, since a wall
    that is crossed aslant looks wide. NaN where fewer than six rows show lung on one side and soft tissue on the other.
    """
    reach = round(EDGE_MM / chest.mm_per_px)
    scale, widths = GRID_MM / chest.mm_per_px, []
    columns = np.flatnonzero(chest.lungs.any(0))
    for column, outward in ((columns[0], -1), (columns[-1], 1)):
        middle = (column + (outward > 0)) * scale
        if reach < 1 or middle - reach < 0 or middle + reach > chest.pixels.shape[1] - 1:
            continue
        along = middle + outward * np.arange(-10 * reach, 10 * reach + 1) / 10
        rows = np.unique((np.flatnonzero(chest.lungs[:, column - outward]) * scale).astype(int))
        for line in _sampled(chest.pixels[rows], along):
            widths.append(_rise(line, reach) / 10 * chest.mm_per_px)
    widths = [width for width in widths if width > 0]
    return float(np.percentile(widths, 25)) if len(widths) > 5 else NAN


def _sampled(rows: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Rows [n, w] at the columns `along`, by linear interpolation: [n, len(along)]."""
    left = np.minimum(along.astype(int), rows.shape[1] - 2)
    part = along - left
    return rows[:, left] * (1 - part) + rows[:, left + 1] * part


def _rise(line: np.ndarray, reach: int) -> int:
    """Steps from 10 to 90 % along a line that leads from lung to wall; 0 where it does not.

    line: HU at 20 `reach` + 1 steps.
    """
    inner, outer = np.median(line[: 5 * reach]), np.median(line[14 * reach : 19 * reach])
    if not (inner < EDGE_LUNG_HU and EDGE_WALL_HU[0] < outer < EDGE_WALL_HU[1]):
        return 0
    risen = (line - inner) / (outer - inner)
    middle = int(np.argmax(risen > 0.5))
    up, down = int(np.argmax(risen[middle:] > 0.9)), int(np.argmax(risen[middle::-1] < 0.1))
    return up + down if up and down else 0
