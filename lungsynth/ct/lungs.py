"""Lungs from a chest CT by threshold and morphology: whole volumes and single slices.

Labels: 1 the patient's right lung, 2 the left one, 0 all else. Vessels and nodules count as lung, those on the wall
too; trachea, main bronchi, bowel gas and air under the skin do not. The shape is found on a grid of some 2.5 mm, which
makes it fast and deaf to noise; the edge is then drawn on the scan's own pixels, half way between lung and tissue.
"""

import numpy as np
from scipy import ndimage as ndi

from lungsynth.ct.airway import airway_in_slice, airway_of, without_midline_tubes
from lungsynth.ct.dense import Cut, dense_lung, mirror_axes
from lungsynth.ct.gas import GAS_HU, is_gas
from lungsynth.ct.outline import IN_PLANE, wrapped_lung
from lungsynth.ct.torso import Grid, body_of, grid_of, middle_of, midline_of
from lungsynth.ct.volume import Volume

AERATED_BELOW_HU = -400.0
"""Half way between aerated lung (-860) and soft tissue (50)."""
RECESS_MM = 45.0
"""Length of the thin recesses beside the diaphragm that are followed from the body of the lung."""
LEAST_PART_ML = 60.0
LEAST_PART_SHARE = 0.08
"""A lung's part is no smaller, beside the largest."""
LEAST_DARK_SHARE = 0.25
"""The same for a part as dark as gas: a colon with folds is uneven too, but smaller than a lung."""
GAS_DEPTH_MM = 7.0
"""Deeper than this folds of the bowel's wall are rare."""
LOWER_SHARE, LEAST_GAS_ML = 0.33, 3.0
"""Bowel and stomach reach up to this share of the lungs' height; less gas than this may be a bulla."""
BENEATH_MM = 15.0
"""A mass lies on lung within this distance; it may begin with a slice that is too small to tell."""
LEAST_SLICE_MM2 = 800.0
LEAST_BODY_MM2 = 15000.0


def segment_volume(volume: Volume) -> np.ndarray:
    """The lungs of an axial chest CT.

    volume: HU int16 [z, y, x], upright (`volume.upright`), with its spacing.
    Returns uint8 [z, y, x]: 1 right, 2 left, 0 elsewhere; all 0 where no lung is found.
    """
    hu = volume.hu
    grid = grid_of(hu, volume.spacing_mm)
    body = body_of(grid)
    air = (grid.hu < AERATED_BELOW_HU) & body
    airway = airway_of(grid, air, body)
    wide = ndi.binary_opening(airway, IN_PLANE)
    lungs = _two_lungs(grid, air & ~airway, body, LEAST_PART_ML / grid.voxel_ml, LEAST_PART_SHARE)
    lungs = without_midline_tubes(grid, lungs, body)
    return _draw(hu, grid, lungs, wide, body)


def segment_slice(hu: np.ndarray, mm_per_px: float, both: bool = True) -> np.ndarray:
    """The lungs of one axial slice, real or generated: patient's right at low columns, front at low rows.

    hu: [h, w]; mm_per_px: side of a pixel. Returns uint8 [h, w]: 1 right, 2 left, 0 elsewhere. With `both` a slice
    that does not show two plausible lungs (area, HU, place in the body) gives 0 everywhere; without it one is enough.
    """
    grid = grid_of(hu[None], (5.0, mm_per_px, mm_per_px))
    body = body_of(grid)
    air = (grid.hu < AERATED_BELOW_HU) & body
    airway = airway_in_slice(grid, air, body)
    lungs = _plausible(grid, air & ~airway, body)
    drawn = _draw(hu[None], grid, lungs, airway, body)[0]
    if both and not all((drawn == side).any() for side in (1, 2)):
        return np.zeros_like(drawn)
    return drawn


def _two_lungs(grid: Grid, air: np.ndarray, body: np.ndarray, least: float, share: float) -> np.ndarray:
    """Labels 1 right, 2 left on the grid: the large parts of the air in the body, cut apart where they touch."""
    middle = midline_of(body)
    for radius_mm in (3, 5, 8, 11, 15):
        core = _eroded(air, radius_mm / grid.step_mm[1])
        parts, n = ndi.label(core)
        sizes = np.bincount(parts.ravel(), minlength=n + 1).astype(float)
        sizes[0] = 0
        if n == 0 or sizes.max() < least:
            return np.zeros(air.shape, np.uint8)
        large = [i for i in np.flatnonzero(sizes > share * sizes.max()) if _is_lung(grid, parts == i, sizes.max())]
        sides = _sides(parts, large, sizes, middle, grid.step_mm[2])
        if len(set(sides.values())) == 2 or radius_mm == 15:
            break
        if sides and not _spans_midline(parts, large, middle):
            break
    seeds = np.zeros(n + 1, np.uint8)
    for i, side in sides.items():
        seeds[i] = side
    air = air & ~_bowel(grid, air, parts, sizes, seeds, radius_mm)
    return _grow(seeds[parts], air, round((radius_mm + RECESS_MM) / grid.step_mm[1]))


def _bowel(grid: Grid, air: np.ndarray, parts: np.ndarray, sizes: np.ndarray, seeds: np.ndarray, radius_mm: float):
    """Gas at the height of the lungs' lower ends, into which they would grow where the diaphragm is thin."""
    planes = np.flatnonzero((seeds[parts] > 0).any((1, 2)))
    gas = np.zeros(len(seeds), bool)
    for i, box in enumerate(ndi.find_objects(parts) if len(planes) else (), 1):
        low = box[0].stop <= planes[0] + LOWER_SHARE * np.ptp(planes)
        if low and not seeds[i] and sizes[i] * grid.voxel_ml > LEAST_GAS_ML:
            gas[i] = np.median(grid.hu[box][parts[box] == i]) < GAS_HU
    if not gas.any():
        return gas[parts]
    return ndi.binary_dilation(gas[parts], IN_PLANE, iterations=round(radius_mm / grid.step_mm[1]) + 1, mask=air)


def _is_lung(grid: Grid, part: np.ndarray, largest: float = 0.0) -> bool:
    """Whether a part of the air is lung and no gas; a small one that is as dark as gas is taken for it."""
    if np.count_nonzero(part) < LEAST_DARK_SHARE * largest and np.median(grid.hu[part]) < GAS_HU:
        return False
    return not is_gas(grid.hu, part, depth=round(GAS_DEPTH_MM / grid.step_mm[1]))


def _spans_midline(parts: np.ndarray, large: list[int], middle: float) -> bool:
    """Whether the largest part lies on both sides of the body: two lungs that touch."""
    columns = np.nonzero(parts == large[0])[2]
    share = (columns < middle).mean()
    return 0.2 < share < 0.8


def _sides(parts: np.ndarray, large: list[int], sizes: np.ndarray, middle: float, step_mm: float) -> dict[int, int]:
    """Part -> 1 right or 2 left. The two largest that lie apart decide; the rest go by the nearer of them."""
    if not large:
        return {}
    large.sort(key=lambda i: -sizes[i])
    column = {i: np.nonzero(parts == i)[2].mean() for i in large}
    apart = [i for i in large[1:] if abs(column[i] - column[large[0]]) * step_mm > 60]
    if not apart:
        return {i: 1 if column[i] < middle else 2 for i in large[:1]}
    right, left = sorted((column[large[0]], column[apart[0]]))
    return {i: 1 if abs(column[i] - right) < abs(column[i] - left) else 2 for i in large}


def _eroded(mask: np.ndarray, radius_px: float) -> np.ndarray:
    """Erosion of every slice by a disc."""
    out = np.zeros_like(mask)
    for k in np.flatnonzero(mask.any((1, 2))):
        out[k] = ndi.distance_transform_edt(np.pad(mask[k], 1))[1:-1, 1:-1] > radius_px
    return out


def _grow(seeds: np.ndarray, air: np.ndarray, steps: int) -> np.ndarray:
    """Lets the seeds grow through the air by at most `steps` voxels; where two labels meet, the nearer seed wins.

    Slice by slice from the one with most seeds outwards: a part without a seed, such as a recess at the lung's end,
    goes to the lung that it continues in the slice before.
    """
    cross = ndi.generate_binary_structure(3, 1)
    reached = ndi.binary_dilation(seeds > 0, cross, iterations=steps, mask=air | (seeds > 0))
    out = np.zeros(seeds.shape, np.uint8)
    start = int((seeds > 0).sum((1, 2)).argmax())
    last = seeds[start]
    for k in (*range(start, len(seeds)), *range(start - 1, -1, -1)):
        last = out[start] if k == start - 1 else last
        if reached[k].any():
            out[k] = _shared(reached[k], seeds[k], last)
            last = np.where(out[k] > 0, out[k], last)
    return out


def _shared(reached: np.ndarray, seeds: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Labels of one slice: a part goes to the lung of its seeds, without any to that of `last` beneath or above it.

    A part with seeds of both lungs, or with nothing to go by, is shared out to the nearer ones.
    """
    parts, n = ndi.label(reached)
    votes = np.stack([np.bincount(parts.ravel(), (seeds == s).ravel(), n + 1) for s in (1, 2)])
    before = np.stack([np.bincount(parts.ravel(), (last == s).ravel(), n + 1) for s in (1, 2)])
    both = (votes > 0).all(0)
    votes = np.where(votes.any(0), votes, before)
    label = np.where(both | ~votes.any(0), 0, 1 + votes.argmax(0)).astype(np.uint8)
    label[0] = 0
    out = label[parts]
    unknown = reached & (out == 0)
    if unknown.any():
        source = seeds if seeds.any() else last
        index = ndi.distance_transform_edt(source == 0, return_distances=False, return_indices=True)
        out[unknown] = source[tuple(index)][unknown]
    return out


def _plausible(grid: Grid, air: np.ndarray, body: np.ndarray) -> np.ndarray:
    """The lungs of one slice by area, HU and place; labels 1 right, 2 left."""
    if body.sum() * grid.pixel_mm2 < LEAST_BODY_MM2:
        return np.zeros(air.shape, np.uint8)
    lungs = _two_lungs(grid, air, body, LEAST_SLICE_MM2 / grid.pixel_mm2, 0.04)
    lungs = without_midline_tubes(grid, lungs, body)
    for side in (1, 2):
        part = lungs == side
        if part.sum() * grid.pixel_mm2 < LEAST_SLICE_MM2 or not _is_lung(grid, part):
            lungs = np.where(part, 0, lungs).astype(np.uint8)
    return lungs


def _enlarged(mask: np.ndarray, factor: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    """A mask of the grid on the scan's pixels by linear interpolation between block centres, float32 0..1."""
    out = mask.astype(np.float32)
    for axis in (0, 1):
        if factor[axis] > 1:
            n = out.shape[axis]
            at = np.clip((np.arange(shape[axis]) + 0.5) / factor[axis] - 0.5, 0, n - 1)
            low = np.minimum(at.astype(int), max(n - 2, 0))
            weight = (at - low).astype(np.float32).reshape(-1, *[1] * (1 - axis))
            out = np.take(out, low, axis) * (1 - weight) + np.take(out, np.minimum(low + 1, n - 1), axis) * weight
    return out[: shape[0], : shape[1]]


def _draw(hu: np.ndarray, grid: Grid, lungs: np.ndarray, airway: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Lungs of the grid on the scan's pixels: air near them, and what the wrapped outline encloses."""
    out = np.zeros(hu.shape, np.uint8)
    outlines = _outlines(grid, lungs, body)
    for side in (1, 2):
        for k in np.flatnonzero(outlines[side - 1].any((1, 2))):
            planes = slice(k * grid.factor[0], (k + 1) * grid.factor[0])
            _draw_lung(hu[planes], out[planes], grid, lungs[k] == side, airway[k], outlines[side - 1][k], side)
    return out


def _outlines(grid: Grid, lungs: np.ndarray, body: np.ndarray) -> np.ndarray:
    """The filled outlines of the right and of the left lung, bool [2, z, y, x], from the feet upwards."""
    outlines = np.zeros((2, *lungs.shape), bool)
    middle, axes, step = middle_of(body), mirror_axes(lungs, grid.step_mm[0]), grid.step_mm[2]
    full_px = [int((lungs == side).sum((1, 2)).max()) for side in (1, 2)]
    last, reach = [None, None], max(1, round(BENEATH_MM / grid.step_mm[0]))
    for k in np.flatnonzero(lungs.any((1, 2))):
        for i in (0, 1):
            if (lungs[k] == i + 1).any():
                last[i] = outlines[i, k] = wrapped_lung(lungs[k] == i + 1, middle, step, last[i])
        if not np.isnan(axes[k]):
            beneath = outlines[:, max(0, k - reach) : k].any(1) if len(lungs) > 1 else (None, None)
            cuts = [
                Cut(
                    grid.hu[k], outlines[i, k], outlines[1 - i, k], axes[k], beneath[i], full_px[1 - i], middle[0], step
                )
                for i in (0, 1)
            ]
            outlines[:, k] |= np.stack([dense_lung(cut) for cut in cuts])
            last = list(outlines[:, k])
    return outlines


def _draw_lung(hu, out, grid: Grid, lung, airway, wrapped, side: int) -> None:
    """Draws one lung of one slice of the grid into `out`, in the planes and the window that it covers."""
    cross = ndi.generate_binary_structure(2, 1)
    factor = grid.factor[1:]
    window = [slice(max(0, v.min() - 2), v.max() + 3) for v in np.nonzero(wrapped)]
    fine = tuple(slice(w.start * f, w.stop * f) for w, f in zip(window, factor, strict=True))
    hu, out = hu[:, *fine], out[:, *fine]
    wrapped, lung, airway = (m[tuple(window)] for m in (wrapped, lung, airway))

    # Where the outline was closed, or deep inside it, the wrapped shape rules; at the plain edge, the HU do.
    inner = ndi.binary_dilation(wrapped & ~lung, cross) & wrapped | ndi.binary_erosion(wrapped, cross)
    near = _enlarged(ndi.binary_dilation(wrapped, cross), factor, hu.shape[1:]) > 0.3
    enclosed = _enlarged(inner, factor, hu.shape[1:]) > 0.5
    in_airway = _enlarged(airway, factor, hu.shape[1:]) > 0.3
    in_wall = _enlarged(ndi.binary_dilation(airway, cross), factor, hu.shape[1:]) > 0.5
    out[((hu < AERATED_BELOW_HU) & near & ~in_airway | enclosed & ~in_wall) & (out == 0)] = side
