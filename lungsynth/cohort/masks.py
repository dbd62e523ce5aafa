"""Masks that come with a scan: on its grid, with our labels, and a mark for each lesion in them."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np
from scipy import ndimage as ndi

from lungsynth.cohort.base import Mark
from lungsynth.cohort.shapes import densities
from lungsynth.ct import volume as volumes
from lungsynth.ct.shape import ball_diameter_mm
from lungsynth.ct.volume import Volume
from lungsynth.study.errors import DataError

LARGEST_LABEL = 65535
USUAL_NAME = re.compile(r"[-_. ](masks?|segs?|segmentations?|labels?|labelmap|rois?|contours?)$", re.IGNORECASE)
"""How masks are called where they lie beside their scans."""


def by_folder(names: Iterable[tuple[Path, str]]) -> Mapping[Path, Collection[str]]:
    """Folder -> the names of files in it, from pairs of both."""
    found = defaultdict(set)
    for folder, name in names:
        found[folder].add(name)
    return found


def usual_ending(name: str, others: Collection[str]) -> str:
    """What makes a file a mask by its name (`_lung_mask` of `a_lung_mask`): a usual ending, and the scan beside it.

    name: of a file without its suffix; others: the same of the files in its folder. Empty where it is no mask.
    """
    beside = [one for one in others if name.startswith(one) and re.match("[-_. ]", name[len(one) :])]
    return name[len(max(beside, key=len)) :] if beside and USUAL_NAME.search(name) else ""


def where_masks_lie(lungs: str, nodules: str) -> str:
    """In words, how masks are called that are read, from the settings `lungs` and `nodules` (an ending, a folder/)."""
    places = [(*where.rpartition("/")[::2], what) for where, what in ((lungs, "lungs"), (nodules, "nodules")) if where]
    told = [f"{folder}{'/' if folder else ''}NAME{ending} ({what})" for folder, ending, what in places]
    return f"masks are read as {' and '.join(told) or 'nothing'}; `lungs` and `nodules` of the source say so"


def on_grid(mask: Volume, volume: Volume, path: Path) -> np.ndarray:
    """The mask's values, uint8 or uint16 [z, y, x], once its grid is seen to be the scan's.

    A mask may be stored along other axes than its scan: the same voxels lie in the same places.

    Raises:
        DataError: another size, spacing, direction or origin, or values that are no labels.
    """
    mask = volumes.turned(mask, volumes.axes_of(volume))
    near = mask.hu.shape == volume.hu.shape and np.allclose(mask.spacing_mm, volume.spacing_mm, atol=1e-3)
    near = near and np.allclose(mask.direction, volume.direction, atol=1e-3)
    if not (near and np.allclose(mask.to_mm([0, 0, 0]), volume.to_mm([0, 0, 0]), atol=0.05)):
        raise DataError(f"{path}: is not on the grid of its scan (size, spacing, direction or origin differ)")
    values = mask.hu
    if values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
        raise DataError(f"{path}: is no mask, it holds values that are no whole numbers")
    if values.min() < 0 or values.max() > LARGEST_LABEL:
        raise DataError(f"{path}: is no mask, its values go from {values.min():g} to {values.max():g}")
    return values.astype(np.uint8 if values.max() < 256 else np.uint16)


def lung_labels(
    mask: np.ndarray, volume: Volume, right: Collection[int], left: Collection[int], other: Collection[int], path: Path
) -> np.ndarray:
    """A source's lung mask as uint8 [z, y, x], 1 right and 2 left by their place in the patient.

    Args:
        right, left: values of either lung. other: values that are no lung.

    Raises:
        DataError: a value that nobody named.
    """
    unknown = set(np.unique(mask).tolist()) - {*right, *left, *other, 0}
    if unknown:
        raise DataError(f"{path}: values {sorted(unknown)} are unknown; name them in right_, left_ or other_labels")
    lungs = np.isin(mask, list(right)) + np.uint8(2) * np.isin(mask, list(left))
    return _sides_by_position(lungs.astype(np.uint8), volume)


def split_sides(lungs: np.ndarray, volume: Volume) -> np.ndarray:
    """Both lungs under one value to 1 right, 2 left: cut at the emptiest sagittal plane of the middle third.

    lungs: bool [z, y, x]. Returns uint8 [z, y, x].
    """
    across = 2 - int(np.abs(np.reshape(volume.direction, (3, 3))[0]).argmax())
    lungs = np.moveaxis(lungs, across, 2)
    columns = np.flatnonzero(lungs.any((0, 1)))
    if not len(columns):
        return np.zeros(volume.hu.shape, np.uint8)
    low, high = int(columns[0]), int(columns[-1]) + 1
    third = (high - low) // 3
    area = np.count_nonzero(lungs[:, :, low + third : max(high - third, low + third + 1)], axis=(0, 1))
    emptiest = np.flatnonzero(area == area.min())
    cut = low + third + int(emptiest[len(emptiest) // 2])
    sides = np.where(np.arange(lungs.shape[2]) < cut, 1, 2) * lungs
    return _sides_by_position(np.moveaxis(sides, 2, across).astype(np.uint8), volume)


def components(mask: np.ndarray) -> np.ndarray:
    """The 3-D components of a mask (voxels that share a corner belong together) as labels 1, 2, ... in array order."""
    labels, count = ndi.label(mask > 0, np.ones((3, 3, 3)))
    return labels.astype(np.uint8 if count < 256 else np.uint16 if count <= LARGEST_LABEL else np.uint32)


def label_marks(volume: Volume, labels: np.ndarray, note: str) -> tuple[Mark, ...]:
    """A mark for each label: centre of its voxels, diameter of the sphere of their volume, texture by their mean HU."""
    voxel_mm3, marks = float(np.prod(volume.spacing_mm)), []
    top = int(labels.max(initial=0))
    textures = densities(volume, labels, top)
    for k, box in enumerate(ndi.find_objects(labels, max_label=top) if top else [], 1):
        if box is None:
            continue
        voxels = np.argwhere(labels[box] == k)
        centre = volume.to_mm(voxels.mean(0) + [s.start for s in box])
        diameter_mm = float(ball_diameter_mm(len(voxels) * voxel_mm3))
        marks.append(Mark(tuple(map(float, centre)), diameter_mm, textures[k - 1], label=k, note=note))
    return tuple(marks)


def _sides_by_position(lungs: np.ndarray, volume: Volume) -> np.ndarray:
    """Swaps the labels where right lies left: which number is which side is rarely written down."""
    x = [volume.to_mm(np.argwhere(lungs == side).mean(0))[0] if (lungs == side).any() else None for side in (1, 2)]
    if None not in x and x[0] > x[1]:
        return np.array([0, 2, 1], np.uint8)[lungs]
    return lungs
