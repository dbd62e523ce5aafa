"""Which generated images are closest to real ones without being copies of them (FACTS 8.7, C3)."""

from dataclasses import dataclass

import numpy as np

from lungsynth.features.neighbours import distances, nearest


@dataclass(frozen=True)
class Ranking:
    """What `rank` found about n generated images.

    Attributes:
        order: indices of the images that may be kept, the most alike first.
        similarity: cosine to the most alike real image, float64 [n].
        alike: index of that real image, int [n].
        feature_distance: to the nearest real image's features, float64 [n].
        pixel_distance: root mean square HU to the nearest real image, float64 [n]; NaN where no pixels were given.
        refused: bool [n]: nearer to a real image than real images come to each other, in features or pixels.
        least_feature_distance, least_pixel_distance: the bounds; the latter is NaN where no pixels were given.
    """

    order: np.ndarray
    similarity: np.ndarray
    alike: np.ndarray
    feature_distance: np.ndarray
    pixel_distance: np.ndarray
    refused: np.ndarray
    least_feature_distance: float
    least_pixel_distance: float


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosine of the angle between all rows: [n, d], [m, d] -> float64 [n, m]; 0 for a row of zeros."""
    sides = [side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-300) for side in (first, second)]
    return sides[0] @ sides[1].T


def copy_bound(real: np.ndarray, quantile: float) -> float:
    """Quantile of the distance of each real row to its nearest other row: nearer than that is a copy.

    Raises:
        ValueError: fewer than two rows.
    """
    if len(real) < 2:
        raise ValueError(f"{len(real)} real images say nothing about how alike real images are")
    apart = distances(real, real)
    np.fill_diagonal(apart, np.inf)
    return float(np.quantile(apart.min(1), quantile))


def as_pixels(images: np.ndarray, window_hu: tuple[float, float], most_px: int = 40) -> np.ndarray:
    """Images [n, h, w] as rows whose Euclidean distance is the root mean square difference in HU, float64 [n, p].

    Clipped to the window; blocks are averaged until at most `most_px` rows and columns are left, so that noise does
    not hide a copy.
    """
    size = -(-images.shape[1] // most_px)
    rows, columns = (side // size * size for side in images.shape[1:])
    clipped = np.clip(images[:, :rows, :columns].astype(np.float64), *window_hu)
    blocks = clipped.reshape(len(images), rows // size, size, columns // size, size).mean((2, 4))
    flat = blocks.reshape(len(images), -1)
    return flat / np.sqrt(flat.shape[1])


def rank(
    fake: np.ndarray,
    real: np.ndarray,
    min_distance_quantile: float = 0.01,
    fake_pixels: np.ndarray | None = None,
    real_pixels: np.ndarray | None = None,
) -> Ranking:
    """Rank generated images by the cosine to their most alike real image, and refuse copies.

    Args:
        fake, real: features [n, d], [m, d]; `real` are the generator's training images.
        min_distance_quantile: of real-to-real nearest distances (leave-one-out); fakes nearer than that are refused.
        fake_pixels, real_pixels: the images as rows (`as_pixels`), to look for copies in pixel space too.
    """
    likeness = cosines(fake, real)
    alike = likeness.argmax(1)
    similarity = likeness[np.arange(len(fake)), alike]
    feature_distance = nearest(fake, real)[1]
    bound = copy_bound(real, min_distance_quantile)
    refused = feature_distance < bound
    pixel_distance, pixel_bound = np.full(len(fake), np.nan), float("nan")
    if fake_pixels is not None and real_pixels is not None:
        pixel_distance = nearest(fake_pixels, real_pixels)[1]
        pixel_bound = copy_bound(real_pixels, min_distance_quantile)
        refused = refused | (pixel_distance < pixel_bound)
    order = np.argsort(-similarity, kind="stable")
    return Ranking(
        order[~refused[order]],
        similarity,
        alike,
        feature_distance,
        pixel_distance,
        refused,
        bound,
        pixel_bound,
    )
