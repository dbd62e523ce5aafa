"""A small picture of a scan: what a person needs to see whether it was read rightly."""

import io
from dataclasses import replace

import numpy as np
from PIL import Image
from scipy import ndimage as ndi
from skimage.draw import circle_perimeter, rectangle_perimeter

from lungsynth.cohort.base import Kind, Mark, Scan
from lungsynth.ct.volume import Volume

WINDOW_HU = (-1350, 150)
SIDE_PX = 224
SLICE_PX = 288
PATCH_PX = 88
GAP_PX = 4
TALLEST = 8
"""Times as high as wide, at most: the pixels of a scan in quarantine may have any size."""
AROUND = 55
"""Grey of air in the window: what lies round the cuts looks like what lies round the patient."""
GREYS = 45
COLOURS = {"right": (255, 122, 89), "left": (76, 201, 240), "mark": (255, 214, 10)}


def preview(scan: Scan, lungs: np.ndarray, kind: Kind, chest_ct: bool = True) -> bytes:
    """PNG bytes of an upright scan: an axial and a coronal cut (volume), the slice, or a strip of patches.

    Lungs are outlined, and so are marks with a mask or a box; other marks are circled. The cuts go through the largest
    mark, or the middle of the lungs where there is none. Images other than CT of the chest show all their values.
    """
    window = WINDOW_HU if chest_ct else (int(scan.volume.hu.min()), int(scan.volume.hu.max()))
    if kind == "patch":
        planes = range(min(4, len(scan.volume.hu)))
        tiles = [_tile(_plane(scan, k), lungs[k : k + 1], "axial", 0, window, PATCH_PX) for k in planes]
    elif kind == "slice":
        tiles = [_tile(scan, lungs, "axial", 0, window, SLICE_PX)]
    else:
        z, y = _cuts(scan, lungs)
        tiles = [_tile(scan, lungs, "axial", z, window), _tile(scan, lungs, "coronal", y, window)]
    height = max(tile.shape[0] for tile in tiles)
    gap = np.full((height, GAP_PX, 3), AROUND, np.uint8)
    short = [height - len(tile) for tile in tiles]
    padded = [
        np.pad(t, ((s // 2, s - s // 2), (0, 0), (0, 0)), constant_values=AROUND)
        for t, s in zip(tiles, short, strict=True)
    ]
    strip = np.concatenate([part for tile in padded for part in (tile, gap)][:-1], axis=1)
    return _png(strip)


def shrunk(png: bytes, factor: float) -> bytes:
    """A preview with its sides times `factor`, 48 px at least on the shorter one."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    factor = max(factor, min(1.0, 48 / min(image.size)))
    size = tuple(max(1, round(side * factor)) for side in image.size)
    return _png(np.asarray(image.resize(size, Image.Resampling.BOX)))


def _png(picture: np.ndarray) -> bytes:
    """PNG bytes of [h, w, 3] in GREYS greys and COLOURS: an outline keeps its colour, whatever else is there."""
    colours = np.array(list(COLOURS.values()), np.int16)
    greys = np.rint(np.linspace(0, 255, GREYS)).astype(np.int16)
    chroma = np.ptp(picture.astype(np.int16), axis=2)
    nearest = np.abs(picture[..., None, :].astype(np.int16) - colours).sum(-1).argmin(-1)
    index = np.where(chroma > 60, GREYS + nearest, np.rint(picture.mean(2) * (GREYS - 1) / 255)).astype(np.uint8)
    image = Image.fromarray(index, "P")
    image.putpalette([int(v) for v in (*np.repeat(greys, 3), *colours.ravel())])
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _plane(scan: Scan, k: int) -> Scan:
    """One plane of a patch scan with its own marks: the planes are no neighbours."""
    volume = scan.volume
    here = tuple(mark for mark in scan.marks if abs(volume.to_index(mark.centre_mm)[0] - k) < 0.5)
    origin = tuple(float(v) for v in volume.to_mm([k, 0, 0]))
    nodules = None if scan.nodules is None else scan.nodules[k : k + 1]
    return replace(scan, volume=replace(volume, hu=volume.hu[k : k + 1], origin_mm=origin), nodules=nodules, marks=here)


def _cuts(scan: Scan, lungs: np.ndarray) -> tuple[int, int]:
    """Slice and row of the two cuts."""
    shape = scan.volume.hu.shape
    if scan.marks:
        largest = max(scan.marks, key=lambda mark: mark.diameter_mm)
        index = np.rint(scan.volume.to_index(largest.centre_mm)).astype(int)
        return tuple(int(v) for v in np.clip(index, 0, np.array(shape) - 1)[:2])
    if lungs.any():
        areas = np.count_nonzero(lungs, axis=(1, 2))
        return int(areas.argmax()), int(np.count_nonzero(lungs, axis=(0, 2)).argmax())
    return shape[0] // 2, shape[1] // 2


def _tile(
    scan: Scan, lungs: np.ndarray, plane: str, at: int, window: tuple[int, int], side_px: int = SIDE_PX
) -> np.ndarray:
    """One cut as [h, side_px, 3]: front or head up, the patient's right at the left."""
    cut = (at, slice(None)) if plane == "axial" else (slice(None, None, -1), at)
    low, high = window
    grey = (scan.volume.hu[cut].astype(np.float32) - low) / max(high - low, 1)
    dz, dy, dx = scan.volume.spacing_mm
    wide = scan.volume.hu.shape[2] * dx
    step = wide / side_px
    rows_px = grey.shape[0] * (dy if plane == "axial" else dz) / step
    height = max(1, round(min(rows_px, TALLEST * side_px)))
    tile = _resized(np.clip(grey, 0, 1) * 255, height, side_px)
    picture = np.repeat(tile[..., None], 3, axis=2).astype(np.uint8)
    for label, name in ((1, "right"), (2, "left")):
        mask = _resized((lungs[cut] == label).astype(np.float32), height, side_px) > 0.5
        picture[mask & ~ndi.binary_erosion(mask)] = COLOURS[name]
    drawn = _outline_masks(picture, scan, cut)
    for mark in scan.marks:
        if mark.label not in drawn:
            draw = _rectangle if mark.boxes_mm else _circle
            draw(picture, scan.volume, mark, plane, at, step)
    return picture


def _outline_masks(picture: np.ndarray, scan: Scan, cut: tuple) -> set[int]:
    """Outlines the lesions' masks one pixel outside of them; returns the labels that were drawn."""
    if scan.nodules is None:
        return set()
    labels = scan.nodules[cut]
    drawn = {int(label) for label in np.unique(labels)} - {0}
    if drawn:
        share = _resized((labels > 0).astype(np.float32), *picture.shape[:2])
        mask = ndi.binary_dilation(share > min(0.5, 0.6 * share.max()), np.ones((3, 3)))
        picture[ndi.binary_dilation(mask) & ~mask] = COLOURS["mark"]
    return drawn


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    resized = Image.fromarray(image.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def _circle(picture: np.ndarray, volume: Volume, mark: Mark, plane: str, at: int, step: float) -> None:
    """A circle round a mark that the cut passes."""
    index = volume.to_index(mark.centre_mm)
    axis = 0 if plane == "axial" else 1
    spacing = volume.spacing_mm
    if abs(index[axis] - at) * spacing[axis] > max(mark.diameter_mm / 2, spacing[axis] / 2):
        return
    down = 1 if plane == "axial" else 0
    place = [index[1] if plane == "axial" else len(volume.hu) - 1 - index[0], index[2]]
    centre = [round((p + 0.5) * s / step) for p, s in zip(place, (spacing[down], spacing[2]), strict=True)]
    radius = max(4, round(mark.diameter_mm / 2 / step) + 3)
    rows, columns = circle_perimeter(*centre, radius, shape=picture.shape[:2])
    picture[rows, columns] = COLOURS["mark"]


def _rectangle(picture: np.ndarray, volume: Volume, mark: Mark, plane: str, at: int, step: float) -> None:
    """What holds the boxes of a mark that the cut passes."""
    ends = np.sort(volume.to_index(np.reshape(mark.boxes_mm, (-1, 2, 3))), axis=1)
    axis, down = (0, 1) if plane == "axial" else (1, 0)
    ends = ends[(ends[:, 0, axis] <= at) & (at <= ends[:, 1, axis])]
    if not len(ends):
        return
    ends = np.stack([ends[:, 0].min(0), ends[:, 1].max(0)])[:, [down, 2]]
    if plane == "coronal":
        ends[:, 0] = len(volume.hu) - 1 - ends[::-1, 0]
    pixels = np.rint((ends + 0.5) * np.take(volume.spacing_mm, (down, 2)) / step).astype(int)
    rows, columns = rectangle_perimeter(*pixels, shape=picture.shape[:2])
    picture[rows, columns] = COLOURS["mark"]
