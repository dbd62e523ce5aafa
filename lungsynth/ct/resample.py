"""In-plane resampling, written once: one filter, recorded in every score that depends on it."""

import numpy as np
from scipy import ndimage

from lungsynth.ct.hu import AIR_HU

RESIZE = "linear, Gaussian prefilter sigma = 0.35 x shrinkage, pixel centres aligned"
# Where an edge halves a row of pixels, both sides would lose them: this shift gives them to one side, as half-open
# intervals do, so that a mask keeps its area.
HALF_OPEN_PX = 1e-3


def resize(
    images: np.ndarray,
    mm_from: float,
    mm_to: float,
    size_px: tuple[int, int] | int,
    centre_px: tuple[float, float] | None = None,
    fill: float = AIR_HU,
) -> np.ndarray:
    """Resample images [..., h, w] from `mm_from` to `mm_to` mm a pixel onto a grid of `size_px`.

    Args:
        images: HU or any intensity; leading axes are kept.
        centre_px: (row, column) of the source that lands on the centre of the result; default: the source's centre.
        fill: value outside the source.

    Returns:
        float32 [..., rows, columns]. Linear interpolation after a Gaussian prefilter where pixels grow (`RESIZE`); a
        pixel's value holds to its edge, half a pixel beyond its centre.
    """
    images = np.asarray(images, np.float32)
    rows, columns = (size_px, size_px) if np.isscalar(size_px) else size_px
    height, width = images.shape[-2:]
    if mm_from == mm_to and (rows, columns) == (height, width) and centre_px is None:
        return images.copy()
    centre = centre_px or ((height - 1) / 2, (width - 1) / 2)
    scale = mm_to / mm_from
    offset = [middle - (size - 1) / 2 * scale for middle, size in zip(centre, (rows, columns), strict=True)]
    flat = images.reshape(-1, height, width)
    out = np.empty((len(flat), rows, columns), np.float32)
    for index, image in enumerate(flat):
        smooth = ndimage.gaussian_filter(image, 0.35 * scale) if scale > 1.001 else image
        ndimage.affine_transform(
            smooth,
            [scale, scale],
            offset,
            (rows, columns),
            output=out[index],
            order=1,
            mode="nearest",
        )
    out[:, _beyond(offset[0], scale, rows, height), :] = fill
    out[:, :, _beyond(offset[1], scale, columns, width)] = fill
    return out.reshape(*images.shape[:-2], rows, columns)


def _beyond(offset: float, scale: float, size: int, source_size: int) -> np.ndarray:
    """Which of `size` positions along an axis lie outside the source's pixels, edges included in the source."""
    position = offset + scale * np.arange(size)
    return (position < -0.5 - 1e-9) | (position > source_size - 0.5 + 1e-9)


def resize_mask(
    masks: np.ndarray,
    mm_from: float,
    mm_to: float,
    size_px: tuple[int, int] | int,
    centre_px: tuple[float, float] | None = None,
) -> np.ndarray:
    """The same for masks or labels [..., h, w]: a pixel belongs to the label that covers more than half; uint8."""
    masks = np.asarray(masks)
    labels = [label for label in np.unique(masks) if label]
    if not labels:
        rows, columns = (size_px, size_px) if np.isscalar(size_px) else size_px
        return np.zeros((*masks.shape[:-2], rows, columns), np.uint8)
    height, width = masks.shape[-2:]
    centre = np.asarray(centre_px or ((height - 1) / 2, (width - 1) / 2)) + HALF_OPEN_PX
    result = None
    for label in labels:
        cover = resize((masks == label).astype(np.float32), mm_from, mm_to, size_px, tuple(centre), fill=0) > 0.5
        result = cover * np.uint8(label) if result is None else np.where(cover, np.uint8(label), result)
    return result.astype(np.uint8)
