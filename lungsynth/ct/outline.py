"""The outline of a lung in one slice: vessels, and nodules and masses on the wall, belong to it; the heart does not."""

import numpy as np
from scipy import ndimage as ndi

WALL_MM = 10.0
"""Radius of the ball that rolls along the outline: notches of up to about 18 mm (vessels, wall nodules) are closed."""
WIDE_WALL_MM = 22.0
"""The same for the outer half of a lung, where a wide notch is a mass on the wall and not the heart."""
MASS_WALL_MM = 32.0
"""The same for a mass that stands in the outer half and lies on lung in the slice below, as the diaphragm does not."""
HOLE_MM2 = 900.0
"""Enclosed tissue up to this size is a vessel or a nodule (30 mm: 707 mm2); above, the dome of the diaphragm."""
WIDE_PART_MM2 = 400.0
"""A wide notch that is larger must lie on lung, as a mass does and the diaphragm does not."""

IN_PLANE = np.zeros((3, 3, 3), bool)
IN_PLANE[1] = ndi.generate_binary_structure(2, 1)


def filled(mask: np.ndarray, limit_px: float = np.inf) -> np.ndarray:
    """A mask [z, y, x] with the holes of every slice filled that are smaller than `limit_px`."""
    parts, n = ndi.label(~mask, IN_PLANE)
    hole = np.bincount(parts.ravel(), minlength=n + 1) <= limit_px
    for edge in (parts[:, 0], parts[:, -1], parts[:, :, 0], parts[:, :, -1]):
        hole[edge.ravel()] = False
    hole[0] = False
    return mask | hole[parts]


def wrapped_lung(lung: np.ndarray, middle: tuple[float, float], step_mm: float, below: np.ndarray | None) -> np.ndarray:
    """One lung of one slice with its vessels and the nodules on its wall.

    The outline is closed by a disc of WALL_MM; in the half away from the heart also the notches that only a disc of
    WIDE_WALL_MM closes, and those still wider that are a mass.

    Args:
        lung: bool [h, w], front at low rows, with holes and notches where tissue is.
        middle: row and column of the body's middle.
        step_mm: side of a pixel.
        below: the wrapped lung of the slice below; None where a slice stands alone.

    Returns:
        bool [h, w].
    """
    box = tuple(slice(max(0, v.min() - 2), v.max() + 3) for v in np.nonzero(lung))
    part, columns = lung[box], np.arange(lung.shape[1])[box[1]]
    outer = np.abs(columns - middle[1]) > abs(np.nonzero(lung)[1].mean() - middle[1])
    outer = np.broadcast_to(outer, part.shape)
    beneath = None if below is None else below[box]
    near, wide, widest = (mm / step_mm for mm in (WALL_MM, WIDE_WALL_MM, MASS_WALL_MM))
    pad = int(np.ceil(widest)) + 2
    away = ndi.distance_transform_edt(~np.pad(part, pad))
    inner = (slice(pad, -pad),) * 2
    closed = part | _closing(away, near)[inner] | _notches(part, away, near)[inner]
    notches = [_notches(part, away, radius)[inner] for radius in (wide, widest)]
    closed |= _on_lung(notches[0], beneath, WIDE_PART_MM2 / step_mm**2) & outer
    here = middle[0] - box[0].start, middle[1] - box[1].start
    closed |= _masses(notches[1], part, outer, beneath, here, step_mm)
    out = np.zeros_like(lung)
    out[box] = filled(closed[None], HOLE_MM2 / step_mm**2)[0]
    return out


def _closing(away: np.ndarray, radius_px: float, slack_px: float = 0.0) -> np.ndarray:
    """Closing by a disc of any radius, from the distances to the mask; with slack it goes over the edge by that."""
    return ndi.distance_transform_edt(away <= radius_px + slack_px) > radius_px


def _notches(part: np.ndarray, away: np.ndarray, radius_px: float) -> np.ndarray:
    """What a disc that rolls round the mask does not reach, to the full depth.

    Without slack the disc sinks into a narrow notch by a whole pixel; the thin rind that slack leaves is peeled off.
    """
    cross = ndi.generate_binary_structure(2, 1)
    left = _closing(away, radius_px, 0.5) & (away > 0)
    return ndi.binary_dilation(ndi.binary_opening(left, cross), cross) & left


def _on_lung(notches: np.ndarray, beneath: np.ndarray | None, small_px: float) -> np.ndarray:
    """The notches without the large ones that stand on no lung: stomach, liver and spleen under the diaphragm."""
    if beneath is None or not notches.any():
        return notches
    parts, n = ndi.label(notches)
    sizes = np.bincount(parts.ravel(), minlength=n + 1)
    keep = (sizes < small_px) | (np.bincount(parts.ravel(), beneath.ravel(), minlength=n + 1) > 0.4 * sizes)
    keep[0] = False
    return keep[parts]


def _masses(
    notches: np.ndarray,
    part: np.ndarray,
    outer: np.ndarray,
    beneath: np.ndarray | None,
    middle: tuple[float, float],
    step_mm: float,
) -> np.ndarray:
    """Wide notches that open to the chest wall, or reach into the outer half, and have lung beneath them.

    In a slice that stands alone, those that open to the wall or lie in the outer half; an island may be the diaphragm.
    """
    if not notches.any():
        return notches
    least = 0.1 if beneath is not None else 0.7
    if beneath is None:
        beneath = ~filled(part[None])[0]
    parts, n = ndi.label(ndi.binary_opening(notches, iterations=max(1, round(4.0 / step_mm))))
    sizes = np.maximum(np.bincount(parts.ravel(), minlength=n + 1), 1)
    keep = np.bincount(parts.ravel(), outer.ravel(), minlength=n + 1) > least * sizes
    keep |= _open_outwards(parts, n, ~(part | notches), middle)
    keep &= np.bincount(parts.ravel(), beneath.ravel(), minlength=n + 1) > 0.6 * sizes
    keep[0] = False
    return ndi.binary_dilation(keep[parts], iterations=2) & notches


def _open_outwards(parts: np.ndarray, n: int, outside: np.ndarray, middle: tuple[float, float]) -> np.ndarray:
    """For each label whether its notch opens away from the body's middle, as at the wall; the aorta's opens to it."""
    found = np.zeros(n + 1, bool)
    mouth = np.where(ndi.binary_dilation(outside, np.ones((3, 3)), iterations=2), parts, 0)
    index = np.unique(mouth[mouth > 0])
    if len(index):
        centre = np.array(ndi.center_of_mass(parts > 0, parts, index))
        way = np.array(ndi.center_of_mass(mouth > 0, mouth, index)) - centre
        found[index] = (way * (centre - middle)).sum(1) > 0
    return found
