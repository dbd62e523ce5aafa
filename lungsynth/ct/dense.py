"""Dense lung: tumour, consolidation, collapse where the other lung, seen in the mirror, holds air.

No threshold tells a solid lung from the heart, the liver or the chest wall beside it. Three things do: the other lung
shows where lung should be; the chest wall bounds it; and what lies on lung in the slice below is neither the dome of
the diaphragm nor the heart, which goes on downwards.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage as ndi
from skimage.morphology import convex_hull_image

MIRROR_MM = 40.0
"""Half the stretch of slices over which the plane of the mirror is taken as straight."""
DENSE_HU = (-500.0, 160.0)
"""Vessels and heart with contrast, and bone, are brighter."""
FAT_HU = (-140.0, -30.0)
SOLID_HU = -300.0
PART_MM = 6.0
"""Radius of the thinnest part that counts: one lung is always a little smaller than the other."""
LEAST_PART_MM2 = {"right": 300.0, "left": 700.0}
"""Area of a part that lies on lung in the slices below; on the left lie heart, aorta and pulmonary artery."""
LEAST_WHITE_MM2 = 1500.0
LEAST_WALL_MM = 60.0
"""A part without lung beneath, or in a slice that stands alone, is larger and lies along so much of the back wall: the
aorta and the dome of the diaphragm do not (measured on 12 scans without dense lung and 26 slices)."""
LEAST_LUNG_SHARE, FULL_SHARE = 0.25, 0.6
"""Nor is it looked for where this lung has less air beside the other, or the other less than where it is largest: near
the diaphragm, of which one side stands higher."""
MEDIAL_MM = 14.0
"""A mass that lies on lung, and not along the wall, reaches so far beyond the mirrored lung, behind the heart."""
BAND_MM, BESIDE_MM = 20.0, 32.0
"""A part is told from the heart by the band of this width along the chest wall and the lung beside it, which begins so
far in front of the band."""
LEAST_CAP_MM = 15.0
"""Length of the shortest flat end of a wall mass beyond the lung's outline."""
CROSS = ndi.generate_binary_structure(2, 1)


class Cut(NamedTuple):
    """One lung in one slice of the grid, front at low rows.

    hu: float32 [h, w]. lung, other: bool [h, w], the filled outlines of this lung and of the other. axis: twice the
    column of the mirror. beneath: this lung's outline in the slices below, None where a slice stands alone. full_px:
    area of the other lung where it is largest. middle_row: of the body. step_mm: side of a pixel.
    """

    hu: np.ndarray
    lung: np.ndarray
    other: np.ndarray
    axis: float
    beneath: np.ndarray | None
    full_px: int
    middle_row: float
    step_mm: float


def mirror_axes(lungs: np.ndarray, step_mm: float) -> np.ndarray:
    """Twice the column of the plane between the outer walls of the lungs, [z] of labels [z, y, x]; NaN without both.

    step_mm: between slices. The median over neighbouring slices stands where one wall is hidden by dense lung.
    """
    axes = np.full(len(lungs), np.nan)
    for k, plane in enumerate(lungs):
        right, left = (np.flatnonzero((plane == side).any(0)) for side in (1, 2))
        if len(right) and len(left):
            axes[k] = right[0] + left[-1]
    reach = int(MIRROR_MM / step_mm)
    near = [axes[max(0, k - reach) : k + reach + 1] for k in range(len(axes))]
    return np.array([np.nan if np.isnan(axes[k]) else np.nanmedian(near[k]) for k in range(len(axes))])


def dense_lung(cut: Cut) -> np.ndarray:
    """The dense lung that the outline leaves out, bool [h, w]; nothing where the lungs are alike."""
    added = np.zeros_like(cut.lung)
    mirrored = _mirrored(cut)
    missing = mirrored & ~(cut.lung | cut.other) & (cut.hu > DENSE_HU[0])
    if not ndi.binary_erosion(missing, CROSS).any():
        return added
    box = tuple(slice(v.min(), v.max() + 1) for v in np.nonzero(mirrored | cut.lung))
    dense = missing[box] & _tissue(cut.hu[box])
    if ndi.binary_erosion(dense, CROSS).any():
        added[box] = _added(_cropped(cut, box), dense, mirrored[box])
    return added


def _tissue(hu: np.ndarray) -> np.ndarray:
    """Where there may be dense lung by its HU: no air, no fat, no bone, no vessel with contrast."""
    smooth = ndi.uniform_filter(hu, 3)
    return (smooth > DENSE_HU[0]) & (smooth < DENSE_HU[1]) & ((smooth < FAT_HU[0]) | (smooth > FAT_HU[1]))


def _cropped(cut: Cut, box: tuple[slice, slice]) -> Cut:
    """The same lung in a window of its slice."""
    return cut._replace(
        hu=cut.hu[box],
        lung=cut.lung[box],
        other=cut.other[box],
        axis=cut.axis - 2 * box[1].start,
        beneath=None if cut.beneath is None else cut.beneath[box],
        middle_row=cut.middle_row - box[0].start,
    )


def _added(cut: Cut, dense: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """The dense tissue that is lung: thick parts, and the ends of masses at the wall."""
    front, back, side = _walls(mirrored, cut)
    parts = _parts(cut, dense, back | side, mirrored)
    return parts | _caps(cut, dense & (front | back | side) & ~parts)


def _side(cut: Cut) -> str:
    """Which lung it is."""
    return "right" if np.nonzero(cut.lung)[1].mean() < cut.axis / 2 else "left"


def _mirrored(cut: Cut) -> np.ndarray:
    """The other lung, mirrored onto this one's side."""
    columns = round(cut.axis) - np.arange(cut.other.shape[1])
    inside = (columns >= 0) & (columns < len(columns))
    mirrored = np.zeros_like(cut.other)
    mirrored[:, inside] = cut.other[:, columns[inside]]
    return mirrored


def _walls(mirrored: np.ndarray, cut: Cut) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bands of the mirrored lung along the chest wall, in front, at the back and at the side."""
    width = BAND_MM / cut.step_mm
    rows, columns = np.arange(mirrored.shape[0])[:, None], np.arange(mirrored.shape[1])
    outer = mirrored.argmax(1) if _side(cut) == "right" else len(columns) - 1 - mirrored[:, ::-1].argmax(1)
    front = mirrored & (rows - mirrored.argmax(0) < width)
    back = mirrored & (len(rows) - 1 - mirrored[::-1].argmax(0) - rows < width)
    return front, back, mirrored & (np.abs(columns - outer[:, None]) < width)


def _back_wall(mirrored: np.ndarray) -> np.ndarray:
    """The hindmost three pixels of every column."""
    last = len(mirrored) - 1 - mirrored[::-1].argmax(0)
    return mirrored & (np.arange(len(mirrored))[:, None] > last - 3)


def _parts(cut: Cut, dense: np.ndarray, band: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """The thick parts of the dense tissue that are lung, with their rims."""
    radius, pixel_mm2 = PART_MM / cut.step_mm, cut.step_mm**2
    thick = _opened(dense, radius)
    if not thick.any():
        return thick
    wall = _beside_wall(cut, thick & band)
    where = wall.copy()
    if cut.beneath is not None:
        where |= np.arange(len(dense))[:, None] > cut.middle_row
    parts, n = ndi.label(_opened(thick & where, radius))
    size = np.bincount(parts.ravel(), minlength=n + 1)
    wall_mm = np.bincount(parts.ravel(), _back_wall(mirrored).ravel(), n + 1) * cut.step_mm
    white = (size * pixel_mm2 > LEAST_WHITE_MM2) & (wall_mm > LEAST_WALL_MM)
    other_px = np.count_nonzero(mirrored)
    keep = white & (np.count_nonzero(cut.lung) > LEAST_LUNG_SHARE * other_px) & (other_px > FULL_SHARE * cut.full_px)
    if cut.beneath is not None:
        on_lung = np.bincount(parts.ravel(), cut.beneath.ravel(), n + 1) > 0.5 * size
        masses = on_lung & (size * pixel_mm2 > LEAST_PART_MM2[_side(cut)])
        masses[0] = False
        keep |= masses
        masses &= wall_mm < LEAST_WALL_MM
    keep[0] = False
    if not keep.any():
        return np.zeros_like(dense)
    away = ndi.distance_transform_edt(~keep[parts])
    whole = (away <= radius + 1) & dense & where | (away <= 2 * radius) & wall  # with its vessels and air
    added = _joined(cut.lung, whole, radius) & mirrored
    if cut.beneath is not None and masses.any():
        near = ndi.distance_transform_edt(~masses[parts]) <= MEDIAL_MM / cut.step_mm
        added |= ndi.binary_opening(near & _medial(mirrored, cut) & _tissue(cut.hu) & ~cut.lung, CROSS) & near
    return added & ~cut.other


def _medial(mirrored: np.ndarray, cut: Cut) -> np.ndarray:
    """What lies between the mirrored lung and the middle plane, behind the body's middle."""
    rows, columns = np.arange(mirrored.shape[0])[:, None], np.arange(mirrored.shape[1])
    if _side(cut) == "right":
        between = (columns > len(columns) - 1 - mirrored[:, ::-1].argmax(1)[:, None]) & (columns < cut.axis / 2)
    else:
        between = (columns < mirrored.argmax(1)[:, None]) & (columns > cut.axis / 2)
    return between & mirrored.any(1)[:, None] & (rows > cut.middle_row)


def _beside_wall(cut: Cut, band: np.ndarray) -> np.ndarray:
    """What lies between the band along the chest wall and the lung beside it: the heart does not."""
    if not band.any():
        return band
    first = np.flatnonzero(band.any(1))[0] - BESIDE_MM / cut.step_mm
    return convex_hull_image(band | cut.lung & (np.arange(len(band))[:, None] >= first))


def _caps(cut: Cut, dense: np.ndarray) -> np.ndarray:
    """The flat ends, at the chest wall, of masses that lie in the lung's outline for the rest."""
    solid = cut.lung & (cut.hu > SOLID_HU)
    reach = round(10.0 / cut.step_mm)
    parts, n = ndi.label(ndi.binary_opening(dense, CROSS))
    near = np.bincount(
        parts.ravel(), ndi.binary_dilation(ndi.binary_opening(solid, CROSS), iterations=2).ravel(), n + 1
    )
    caps = np.zeros_like(dense)
    for i, box in enumerate(ndi.find_objects(parts), 1):
        if near[i] * cut.step_mm < LEAST_CAP_MM:
            continue
        box = tuple(slice(max(0, b.start - reach), b.stop + reach) for b in box)
        away = ndi.distance_transform_edt(parts[box] != i) * cut.step_mm
        inside = (away > 3.0) & (away < 8.0) & cut.lung[box]
        if np.count_nonzero(inside) * cut.step_mm**2 > 5.0 * LEAST_CAP_MM and solid[box][inside].mean() > 0.6:
            caps[box] |= parts[box] == i
    return caps


def _joined(lung: np.ndarray, part: np.ndarray, radius_px: float) -> np.ndarray:
    """A part with the narrow gap between it and the lung."""
    pad = int(radius_px) + 2
    away = ndi.distance_transform_edt(~np.pad(lung | part, pad))
    closed = (ndi.distance_transform_edt(away <= radius_px) > radius_px)[pad:-pad, pad:-pad]
    return part | closed & ~lung & (ndi.distance_transform_edt(~part) <= radius_px)


def _opened(mask: np.ndarray, radius_px: float) -> np.ndarray:
    """Opening by a disc."""
    if not ndi.binary_erosion(mask, CROSS, iterations=int(radius_px)).any():
        return np.zeros_like(mask)  # the usual case, and cheaper to tell
    core = ndi.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] > radius_px
    return mask & (ndi.distance_transform_edt(~core) <= radius_px) if core.any() else core
