"""Likeness without copying (FACTS 8.7, C3): how near generated images come to real ones, and which come too near."""

import numpy as np

ROWS_AT_ONCE = 512


def copies_of(generated: np.ndarray, real: np.ndarray, quantile: float) -> np.ndarray:
    """Whether the nearest real row is as near as the nearest `quantile` of real rows are to each other, bool [n]."""
    apart = np.quantile(nearest_distance(real, real, same=True), quantile)
    return nearest_distance(generated, real) <= apart


def nearest_distance(rows: np.ndarray, others: np.ndarray, same: bool = False) -> np.ndarray:
    """Euclidean distance of each row [n, d] to the nearest of `others` [m, d]; `same`: none is its own neighbour."""
    rows, others = np.asarray(rows, np.float64), np.asarray(others, np.float64)
    lengths, out = np.square(others).sum(1), np.empty(len(rows))
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE]
        square = np.square(part).sum(1)[:, None] + lengths - 2 * part @ others.T
        if same:
            own = np.arange(len(part))
            square[own, start + own] = np.inf
        out[start : start + len(part)] = np.sqrt(np.maximum(square.min(1), 0))
    return out


def cosine_to_nearest(generated: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Largest cosine of each generated row [n, d] with a real one [m, d], float64 [n]."""
    unit = [rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in (generated, real)]
    return (unit[0] @ unit[1].T).max(1)


def as_pixels(images: np.ndarray, window_hu: tuple[float, float], most_px: int = 40) -> np.ndarray:
    """Images [n, h, w], or [n, h, w, 3] whose mean colour is taken, as rows float64 [n, p] for distances.

    The Euclidean distance of two rows is the root mean square difference of the images, in HU or grey levels.
    Clipped to the window; blocks are averaged until at most `most_px` rows and columns are left, so that noise does
    not hide a copy.
    """
    size = -(-images.shape[1] // most_px)
    rows, columns = (side // size * size for side in images.shape[1:3])
    clipped = np.clip(images[:, :rows, :columns].astype(np.float64), *window_hu)
    if clipped.ndim == 4:
        clipped = clipped.mean(3)
    blocks = clipped.reshape(len(images), rows // size, size, columns // size, size).mean((2, 4))
    flat = blocks.reshape(len(images), -1)
    return flat / np.sqrt(flat.shape[1])
