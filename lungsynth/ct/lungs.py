"""Lungs from a chest CT by threshold and morphology: whole volumes and single slices.

Labels: 1 the patient's right lung, 2 the left one, 0 all else. Vessels and nodules count as lung, those on the wall
too; trachea, main bronchi, bowel gas and air under the skin do not. The shape is found on a grid of some 2.5 mm, which
makes it fast and deaf to noise; the edge is then drawn on the scan's own pixels, half way between lung and tissue.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage as ndi

from lungsynth.ct.volume import Volume

AIR_HU = -400.0
"""Half way between aerated lung (-860) and soft tissue (50)."""
GAS_HU = -955.0
"""The median of gas in bowel, stomach or trachea lies below, that of lung above (FACTS 11.1: -920 to -586)."""
GRID_MM = 2.5
WALL_MM = 10.0
"""Radius of the ball that rolls along the outline: notches of up to about 18 mm (vessels, wall nodules) are closed."""
WIDE_WALL_MM = 22.0
"""The same for the outer half of a lung, where a wide notch is a mass on the wall and not the heart."""
HOLE_MM2 = 900.0
"""Enclosed tissue up to this size is a vessel or a nodule (30 mm: 707 mm2); above, the dome of the diaphragm."""
RECESS_MM = 25.0
"""Length of the thin recesses beside the diaphragm that are followed from the body of the lung."""
LEAST_PART_ML = 60.0
LEAST_SLICE_MM2 = 800.0
LEAST_BODY_MM2 = 15000.0

IN_PLANE = np.zeros((3, 3, 3), bool)
IN_PLANE[1] = ndi.generate_binary_structure(2, 1)


class Grid(NamedTuple):
    """A scan averaged over blocks of pixels: `hu` float32 [z, y, x] with the step of its axes in mm."""

    hu: np.ndarray
    factor: tuple[int, int, int]
    step_mm: tuple[float, float, float]

    @property
    def voxel_ml(self) -> float:
        return float(np.prod(self.step_mm)) / 1000

    @property
    def pixel_mm2(self) -> float:
        return self.step_mm[1] * self.step_mm[2]


def segment_volume(volume: Volume) -> np.ndarray:
    """The lungs of an axial chest CT.

    volume: HU int16 [z, y, x] with spacing and direction (LPS), slices in any sense along the axes.
    Returns uint8 [z, y, x]: 1 right, 2 left, 0 elsewhere; all 0 where no lung is found.
    """
    flips = tuple(slice(None, None, -1 if volume.direction[i] < 0 else 1) for i in (8, 4, 0))
    hu = volume.hu[flips]
    grid = _grid(hu, volume.spacing_mm)
    body = _body(grid)
    air = (grid.hu < AIR_HU) & body
    airway = _airway(grid, air, body)
    wide = ndi.binary_opening(airway, IN_PLANE, iterations=2)
    lungs = _two_lungs(grid, air & ~airway, body, LEAST_PART_ML / grid.voxel_ml)
    lungs = _without_midline_tubes(grid, lungs, body)
    return np.ascontiguousarray(_draw(hu, grid, lungs, wide, body)[flips])


def segment_slice(hu: np.ndarray, mm_per_px: float, both: bool = True) -> np.ndarray:
    """The lungs of one axial slice, real or generated: patient's right at low columns, front at low rows.

    hu: [h, w]; mm_per_px: side of a pixel. Returns uint8 [h, w]: 1 right, 2 left, 0 elsewhere. With `both` a slice
    that does not show two plausible lungs (area, HU, place in the body) gives 0 everywhere; without it one is enough.
    """
    grid = _grid(hu[None], (5.0, mm_per_px, mm_per_px))
    body = _body(grid)
    lungs = _plausible(grid, (grid.hu < AIR_HU) & body, body)
    drawn = _draw(hu[None], grid, lungs, np.zeros_like(body), body)[0]
    if both and not all((drawn == side).any() for side in (1, 2)):
        return np.zeros_like(drawn)
    return drawn


def _grid(hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> Grid:
    """Block means near GRID_MM; the last blocks are filled up with the outermost pixels."""
    factor = tuple(
        max(1, int(f)) for f in (1.3 * GRID_MM / spacing_mm[0], *(np.rint(GRID_MM / s) for s in spacing_mm[1:]))
    )
    short = [(-n) % f for n, f in zip(hu.shape, factor, strict=True)]
    if any(short):
        hu = np.pad(hu, [(0, s) for s in short], mode="edge")
    for axis in (2, 1, 0):
        if factor[axis] > 1:
            steps = [hu[(slice(None),) * axis + (slice(i, None, factor[axis]),)] for i in range(factor[axis])]
            hu = sum((s.astype(np.float32) for s in steps[1:]), steps[0].astype(np.float32)) / factor[axis]
    step = tuple(s * f for s, f in zip(spacing_mm, factor, strict=True))
    return Grid(np.clip(hu, -1024, 3071).astype(np.float32, copy=False), factor, step)


def _largest_per_slice(mask: np.ndarray) -> np.ndarray:
    """The largest part of every slice."""
    parts, n = ndi.label(mask, IN_PLANE)
    if n == 0:
        return mask
    sizes = np.bincount(parts.ravel(), minlength=n + 1)
    first_voxel = np.unique(parts, return_index=True)
    plane = first_voxel[1] // mask[0].size
    keep = np.zeros(n + 1, bool)
    for k in np.unique(plane[first_voxel[0] > 0]):
        here = first_voxel[0][(plane == k) & (first_voxel[0] > 0)]
        keep[here[np.argmax(sizes[here])]] = True
    return keep[parts]


def _fill(mask: np.ndarray, limit_px: float = np.inf) -> np.ndarray:
    """Fills the holes of every slice that are smaller than `limit_px`."""
    parts, n = ndi.label(~mask, IN_PLANE)
    hole = np.bincount(parts.ravel(), minlength=n + 1) <= limit_px
    for edge in (parts[:, 0], parts[:, -1], parts[:, :, 0], parts[:, :, -1]):
        hole[edge.ravel()] = False
    hole[0] = False
    return mask | hole[parts]


def _body(grid: Grid) -> np.ndarray:
    """The patient without couch and sheets, lungs and bowel filled in."""
    reach = max(1, round(3.0 / grid.step_mm[1]))
    tissue = ndi.binary_erosion(grid.hu > -250, IN_PLANE, iterations=reach)
    trunk = ndi.binary_dilation(_largest_per_slice(tissue), IN_PLANE, iterations=2 * reach) & (grid.hu > -500)
    return _fill(trunk)


def _midline(body: np.ndarray) -> float:
    """Column of the body's middle."""
    columns = np.flatnonzero(body.any((0, 1)))
    weight = body.sum((0, 1))[columns]
    return float((columns * weight).sum() / weight.sum()) if len(columns) else body.shape[2] / 2


def _airway(grid: Grid, air: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Trachea and main bronchi: a tube of 8 to 150 ml near the midline that reaches the upper scan.

    The threshold falls until the tube no longer leaks into the lungs. All False where none is found.
    """
    smooth = ndi.gaussian_filter(grid.hu, (0.4, 0.5, 0.5))
    middle, top = _midline(body), 0.72 * len(air)
    for threshold in (-920, -940, -960, -975):
        parts, n = ndi.label((smooth < threshold) & body)
        sizes = np.bincount(parts.ravel(), minlength=n + 1) * grid.voxel_ml
        boxes = ndi.find_objects(parts)
        tubes = [
            i
            for i in np.flatnonzero((sizes > 8) & (sizes < 150))
            if i and boxes[i - 1][0].stop > top and _is_central(parts, boxes[i - 1], i, middle, grid.step_mm[2])
        ]
        if tubes:
            tube = parts == max(tubes, key=lambda i: sizes[i])
            return ndi.binary_dilation(tube, IN_PLANE, iterations=max(1, round(2.5 / grid.step_mm[1]))) & air
    return np.zeros_like(air)


def _airway_in_slice(grid: Grid, air: np.ndarray, body: np.ndarray) -> np.ndarray:
    """What one slice shows of trachea and main bronchi: small parts near the midline that are as dark as air."""
    smooth = ndi.gaussian_filter(grid.hu, (0, 0.5, 0.5))
    parts, n = ndi.label((smooth < GAS_HU + 15) & air)
    tube = np.zeros(n + 1, bool)
    middle = _midline(body)
    for i in range(1, n + 1):
        rows, columns = np.nonzero(parts[0] == i)
        area = len(rows) * grid.pixel_mm2
        box = np.ptp(rows) + 1, np.ptp(columns) + 1
        round_enough = len(rows) > 0.5 * box[0] * box[1]
        central = abs(columns.mean() - middle) * grid.step_mm[2] < 30
        tube[i] = 40 < area < 700 and round_enough and central
    return ndi.binary_dilation(tube[parts], IN_PLANE, iterations=max(1, round(2.5 / grid.step_mm[1]))) & air


def _is_central(parts: np.ndarray, box: tuple, index: int, middle: float, step_mm: float) -> bool:
    columns = np.nonzero(parts[box] == index)[2].mean() + box[2].start
    return abs(columns - middle) * step_mm < 35


def _two_lungs(grid: Grid, air: np.ndarray, body: np.ndarray, least: float) -> np.ndarray:
    """Labels 1 right, 2 left on the grid: the large parts of the air in the body, cut apart where they touch."""
    middle = _midline(body)
    for radius_mm in (3, 5, 8, 11, 15):
        core = _eroded(air, radius_mm / grid.step_mm[1])
        parts, n = ndi.label(core)
        sizes = np.bincount(parts.ravel(), minlength=n + 1).astype(float)
        sizes[0] = 0
        if n == 0 or sizes.max() < least:
            return np.zeros(air.shape, np.uint8)
        large = [i for i in np.flatnonzero(sizes > 0.08 * sizes.max()) if not _is_gas(grid.hu[parts == i])]
        sides = _sides(parts, large, sizes, middle, grid.step_mm[2])
        if len(set(sides.values())) == 2 or radius_mm == 15:
            break
        if sides and not _spans_midline(parts, large, middle):
            break
    seeds = np.zeros(n + 1, np.uint8)
    for i, side in sides.items():
        seeds[i] = side
    return _grow(seeds[parts], air, round((radius_mm + RECESS_MM) / grid.step_mm[1]))


def _is_gas(hu: np.ndarray) -> bool:
    """Whether a part of the air is bowel or stomach: darker than lung and even."""
    return bool(np.median(hu) < GAS_HU and np.percentile(hu, 65) < GAS_HU + 25)


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
    """Lets the seeds grow through the air by at most `steps` voxels; where two labels meet, the nearer seed wins."""
    cross = ndi.generate_binary_structure(3, 1)
    reached = ndi.binary_dilation(seeds > 0, cross, iterations=steps, mask=air | (seeds > 0))
    out = np.zeros(seeds.shape, np.uint8)
    last = seeds[0]
    for k in np.flatnonzero(reached.any((1, 2))):
        source = seeds[k] if seeds[k].any() else last
        if source.any():
            index = ndi.distance_transform_edt(source == 0, return_distances=False, return_indices=True)
            last = np.where(reached[k], source[tuple(index)], 0).astype(np.uint8)
            out[k] = last
    return out


def _without_midline_tubes(grid: Grid, lungs: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Drops what thick slices leave of the trachea: small dark round parts near the midline."""
    parts, n = ndi.label(lungs > 0, IN_PLANE)
    if n == 0:
        return lungs
    index = np.arange(1, n + 1)
    area = np.bincount(parts.ravel(), minlength=n + 1)[1:] * grid.pixel_mm2
    hu = ndi.mean(grid.hu, parts, index)
    columns = np.array([c[2] for c in ndi.center_of_mass(parts > 0, parts, index)])
    off_mm = np.abs(columns - _midline(body)) * grid.step_mm[2]
    tube = np.r_[False, (area < 700) & (off_mm < 25) & (hu < -880)]
    return np.where(tube[parts], 0, lungs).astype(np.uint8)


def _plausible(grid: Grid, air: np.ndarray, body: np.ndarray) -> np.ndarray:
    """The lungs of one slice by area, HU and place; labels 1 right, 2 left."""
    if body.sum() * grid.pixel_mm2 < LEAST_BODY_MM2:
        return np.zeros(air.shape, np.uint8)
    air = air & ~_airway_in_slice(grid, air, body)
    lungs = _two_lungs(grid, air, body, LEAST_SLICE_MM2 / grid.pixel_mm2)
    lungs = _without_midline_tubes(grid, lungs, body)
    for side in (1, 2):
        part = lungs == side
        if part.sum() * grid.pixel_mm2 < LEAST_SLICE_MM2 or _is_gas(grid.hu[part]):
            lungs = np.where(part, 0, lungs).astype(np.uint8)
    return lungs


def _closed(mask: np.ndarray, radius_px: float, slack_px: float = 0.0) -> np.ndarray:
    """Closing of one slice by a disc of any radius, by two distance maps; with slack it goes over the edge by that."""
    pad = int(np.ceil(radius_px)) + 2
    grown = ndi.distance_transform_edt(~np.pad(mask, pad)) <= radius_px + slack_px
    return (ndi.distance_transform_edt(grown) > radius_px)[pad:-pad, pad:-pad] | mask


def _notches(mask: np.ndarray, radius_px: float) -> np.ndarray:
    """What a disc that rolls round the mask does not reach, to the full depth.

    Without slack the disc sinks into a narrow notch by a whole pixel; the thin rind that slack leaves is peeled off.
    """
    cross = ndi.generate_binary_structure(2, 1)
    left = _closed(mask, radius_px, 0.5) & ~mask
    return ndi.binary_dilation(ndi.binary_opening(left, cross), cross) & left


def _wrap(lung: np.ndarray, middle: float, step_mm: float) -> np.ndarray:
    """One lung of one slice with its vessels and the nodules on its wall.

    The outline is closed by a disc of WALL_MM; in the half away from the heart also the notches that only a disc of
    WIDE_WALL_MM closes.
    """
    rows, columns = np.nonzero(lung)
    box = tuple(slice(max(0, v.min() - 1), v.max() + 2) for v in (rows, columns))
    part = lung[box]
    lateral = np.abs(np.arange(lung.shape[1])[box[1]] - middle) > abs(columns.mean() - middle)
    closed = _closed(part, WALL_MM / step_mm) | _notches(part, WALL_MM / step_mm)
    closed |= _notches(part, WIDE_WALL_MM / step_mm) & lateral
    out = np.zeros_like(lung)
    out[box] = _fill(closed[None], HOLE_MM2 / step_mm**2)[0]
    return out


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
    middle = _midline(body)
    for k in np.flatnonzero(lungs.any((1, 2))):
        planes = slice(k * grid.factor[0], (k + 1) * grid.factor[0])
        for side in (1, 2):
            if (lungs[k] == side).any():
                _draw_lung(hu[planes], out[planes], grid, lungs[k] == side, airway[k], middle, side)
    return out


def _draw_lung(hu, out, grid: Grid, lung, airway, middle: float, side: int) -> None:
    """Draws one lung of one slice of the grid into `out`, in the planes and the window that it covers."""
    cross = ndi.generate_binary_structure(2, 1)
    factor = grid.factor[1:]
    wrapped = _wrap(lung, middle, grid.step_mm[2])
    window = [slice(max(0, v.min() - 2), v.max() + 3) for v in np.nonzero(wrapped)]
    fine = tuple(slice(w.start * f, w.stop * f) for w, f in zip(window, factor, strict=True))
    hu, out = hu[:, *fine], out[:, *fine]
    wrapped, lung, airway = (m[tuple(window)] for m in (wrapped, lung, airway))

    # Where the outline was closed, or deep inside it, the wrapped shape rules; at the plain edge, the HU do.
    inner = ndi.binary_dilation(wrapped & ~lung, cross) & wrapped | ndi.binary_erosion(wrapped, cross)
    near = _enlarged(ndi.binary_dilation(wrapped, cross), factor, hu.shape[1:]) > 0.3
    filled = _enlarged(inner, factor, hu.shape[1:]) > 0.5
    in_airway = _enlarged(airway, factor, hu.shape[1:]) > 0.5
    out[((hu < AIR_HU) & near | filled) & ~in_airway & (out == 0)] = side
