"""Lungs from a chest CT by threshold and morphology: whole volumes and single slices.

Labels: 1 the patient's right lung, 2 the left one, 0 all else. Vessels and nodules count as lung, those on the wall
too; trachea, main bronchi, bowel gas and air under the skin do not. The shape is found on a grid of some 2.5 mm, which
makes it fast and deaf to noise; the edge is then drawn on the scan's own pixels, half way between lung and tissue.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage as ndi

from lungsynth.ct.outline import IN_PLANE, filled, wrapped_lung
from lungsynth.ct.volume import Volume

AIR_HU = -400.0
"""Half way between aerated lung (-860) and soft tissue (50)."""
GAS_HU = -955.0
"""The median of gas in bowel, stomach or trachea lies below, that of lung above (FACTS 11.1: -920 to -586)."""
GRID_MM = 2.5
RECESS_MM = 45.0
"""Length of the thin recesses beside the diaphragm that are followed from the body of the lung."""
EDGE_GAP_MM = 120.0
"""Where the image's edge cuts a lung, the chest wall on both sides of the cut is no further apart."""
LEAST_PART_ML = 60.0
LEAST_SLICE_MM2 = 800.0
LEAST_BODY_MM2 = 15000.0


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
    wide = ndi.binary_opening(airway, IN_PLANE)
    lungs = _two_lungs(grid, air & ~airway, body, LEAST_PART_ML / grid.voxel_ml, 0.08)
    lungs = _without_midline_tubes(grid, lungs, body)
    return np.ascontiguousarray(_draw(hu, grid, lungs, wide, body)[flips])


def segment_slice(hu: np.ndarray, mm_per_px: float, both: bool = True) -> np.ndarray:
    """The lungs of one axial slice, real or generated: patient's right at low columns, front at low rows.

    hu: [h, w]; mm_per_px: side of a pixel. Returns uint8 [h, w]: 1 right, 2 left, 0 elsewhere. With `both` a slice
    that does not show two plausible lungs (area, HU, place in the body) gives 0 everywhere; without it one is enough.
    """
    grid = _grid(hu[None], (5.0, mm_per_px, mm_per_px))
    body = _body(grid)
    air = (grid.hu < AIR_HU) & body
    airway = _airway_in_slice(grid, air, body)
    lungs = _plausible(grid, air & ~airway, body)
    drawn = _draw(hu[None], grid, lungs, airway, body)[0]
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


def _body(grid: Grid) -> np.ndarray:
    """The patient without couch and sheets, lungs and bowel filled in; where the image's edge cuts a lung, up to it."""
    reach = max(1, round(3.0 / grid.step_mm[1]))
    tissue = ndi.binary_erosion(grid.hu > -250, IN_PLANE, iterations=reach, border_value=1)
    trunk = ndi.binary_dilation(_largest_per_slice(tissue), IN_PLANE, iterations=2 * reach) & (grid.hu > -500)
    framed = np.pad(trunk, ((0, 0), (1, 1), (1, 1)))
    gap_px = round(EDGE_GAP_MM / grid.step_mm[1])
    for end in (0, -1):
        framed[:, end, 1:-1] = _bridged(trunk[:, end], gap_px)
        framed[:, 1:-1, end] = _bridged(trunk[:, :, end], gap_px)
    return filled(framed)[:, 1:-1, 1:-1]


def _bridged(lines: np.ndarray, gap_px: int) -> np.ndarray:
    """Rows of True and False in which the gaps between two runs of True are filled up to a length."""
    if not lines.any():
        return lines
    places = np.arange(lines.shape[1])
    before = np.maximum.accumulate(np.where(lines, places, -gap_px - lines.shape[1]), axis=1)
    after = np.minimum.accumulate(np.where(lines, places, gap_px + 2 * lines.shape[1])[:, ::-1], axis=1)[:, ::-1]
    return after - before <= gap_px


def _midline(body: np.ndarray) -> float:
    """Column of the body's middle."""
    columns = np.flatnonzero(body.any((0, 1)))
    weight = body.sum((0, 1))[columns]
    return float((columns * weight).sum() / weight.sum()) if len(columns) else body.shape[2] / 2


def _middle(body: np.ndarray) -> tuple[float, float]:
    """Row and column of the body's middle."""
    rows = np.flatnonzero(body.any((0, 2)))
    weight = body.sum((0, 2))[rows]
    row = float((rows * weight).sum() / weight.sum()) if len(rows) else body.shape[1] / 2
    return row, _midline(body)


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
        tube[i] = 40 < area < 700 and round_enough and central and _has_wall(grid, parts == i)
    return ndi.binary_dilation(tube[parts], IN_PLANE, iterations=max(1, round(2.5 / grid.step_mm[1]))) & air


def _has_wall(grid: Grid, tube: np.ndarray) -> bool:
    """Whether tissue lies round a part of a slice, as round the trachea; a bulla lies in the lung."""
    steps = max(1, round(2.5 / grid.step_mm[1]))
    wide = ndi.binary_dilation(tube, IN_PLANE, iterations=3 * steps)
    return bool(grid.hu[wide & ~ndi.binary_dilation(tube, IN_PLANE, iterations=steps)].mean() > -600)


def _is_central(parts: np.ndarray, box: tuple, index: int, middle: float, step_mm: float) -> bool:
    columns = np.nonzero(parts[box] == index)[2].mean() + box[2].start
    return abs(columns - middle) * step_mm < 35


def _two_lungs(grid: Grid, air: np.ndarray, body: np.ndarray, least: float, share: float) -> np.ndarray:
    """Labels 1 right, 2 left on the grid: the large parts of the air in the body, cut apart where they touch."""
    middle = _midline(body)
    for radius_mm in (3, 5, 8, 11, 15):
        core = _eroded(air, radius_mm / grid.step_mm[1])
        parts, n = ndi.label(core)
        sizes = np.bincount(parts.ravel(), minlength=n + 1).astype(float)
        sizes[0] = 0
        if n == 0 or sizes.max() < least:
            return np.zeros(air.shape, np.uint8)
        large = [i for i in np.flatnonzero(sizes > share * sizes.max()) if not _is_gas(grid.hu[parts == i])]
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
    tube = np.r_[False, (area < 700) & ((off_mm < 25) & (hu < -880) | (off_mm < 40) & (hu < -910))]
    return np.where(tube[parts], 0, lungs).astype(np.uint8)


def _plausible(grid: Grid, air: np.ndarray, body: np.ndarray) -> np.ndarray:
    """The lungs of one slice by area, HU and place; labels 1 right, 2 left."""
    if body.sum() * grid.pixel_mm2 < LEAST_BODY_MM2:
        return np.zeros(air.shape, np.uint8)
    lungs = _two_lungs(grid, air, body, LEAST_SLICE_MM2 / grid.pixel_mm2, 0.04)
    lungs = _without_midline_tubes(grid, lungs, body)
    for side in (1, 2):
        part = lungs == side
        if part.sum() * grid.pixel_mm2 < LEAST_SLICE_MM2 or _is_gas(grid.hu[part]):
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
    middle = _middle(body)
    for side in (1, 2):
        below = None
        for k in np.flatnonzero((lungs == side).any((1, 2))):
            planes = slice(k * grid.factor[0], (k + 1) * grid.factor[0])
            below = wrapped_lung(lungs[k] == side, middle, grid.step_mm[2], below)
            _draw_lung(hu[planes], out[planes], grid, lungs[k] == side, airway[k], below, side)
    return out


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
    out[((hu < AIR_HU) & near & ~in_airway | enclosed & ~in_wall) & (out == 0)] = side
