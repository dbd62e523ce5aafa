"""Real nodules, normal slices and slices with lesions, cut from prepared scans.

Prepared scans are upright, and so is all that is cut. Slice, row and column in the tables count in the prepared scan.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from lungsynth.ct import nodule, shape
from lungsynth.ct.hu import AIR_HU, HU_RANGE
from lungsynth.ct.lungbox import lung_boxes, nearest_side
from lungsynth.ct.resample import resize, resize_mask
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.scans import Prepared
from lungsynth.study.stages.banks import Banks
from lungsynth.study.stages.cohort import Image

NODULE_COLUMNS = (
    *("id", "patient", "scan", "nodule", "slice", "row", "column", "x_mm", "y_mm", "z_mm"),
    *("diameter_mm", "texture", "mean_hu", "side", "u", "v", "annotated", "source"),
)
SLICE_COLUMNS = ("id", "patient", "scan", "slice", "z_fraction", "lung_area_mm2", "lesions", "source")
PLACE_COLUMNS = ("scan", "nodule", "side", "u", "v")


@dataclass(frozen=True)
class Cuts:
    """Nodule cuts of a scan, and how many were left out: larger than the image, or smaller than the bound."""

    images: ImageSet
    too_large: int = 0
    too_small: int = 0


def _z_fractions(lungs: np.ndarray) -> np.ndarray:
    """0 at the lowest slice with lung, 1 at the highest, for every slice; .5 where only one slice shows lung."""
    shown = np.flatnonzero(lungs.any((1, 2)))
    if len(shown) < 2:
        return np.full(len(lungs), 0.5)
    return (np.arange(len(lungs)) - shown[0]) / (shown[-1] - shown[0])


def _pixel_mm(scan: Prepared) -> float:
    """In-plane pixel size; rows and columns differ by less than a thousandth in a CT scanner's images."""
    return float(np.sqrt(scan.volume.spacing_mm[1] * scan.volume.spacing_mm[2]))


def cut_nodules(scan: Prepared, banks: Banks, annotation: np.ndarray | None = None) -> Cuts:
    """Every axial slice of every labelled nodule, true HU inside its mask grown by `margin_mm`, -1000 outside.

    Args:
        scan: `nodules` holds the labels to cut by: the annotation, or the segmenter's components.
        banks: size of the images; cuts narrower than `min_cut_px` of their pixels are left out, and cuts that
            reach the image's border (masses) too; both are counted.
        annotation: labels [z, y, x] to compare with; fills the column `annotated` (1 where the nodule overlaps it).

    Returns:
        Images int16 [n, nodule_px, nodule_px] with masks 0/1 and rows of NODULE_COLUMNS; side 0 where there are no
        lungs to tell a position in.
    """
    rows, images, masks, too_large, too_small = [], [], [], 0, 0
    mm = _pixel_mm(scan)
    for label, k, where in _sections(scan.nodules):
        image, mask = _cut_out(scan.volume.hu[k], where, mm, banks)
        if shape.equivalent_diameter_mm(mask, 1.0) < banks.min_cut_px:
            too_small += 1
        elif _touches_border(shape.grow_mm(mask, banks.margin_mm, banks.mm_per_px)):
            too_large += 1
        else:
            annotated = "" if annotation is None else int(bool(annotation[scan.nodules == label].any()))
            rows.append(_nodule_row(scan, label, k, where, image, mask, banks.mm_per_px, annotated))
            images.append(image)
            masks.append(mask)
    return Cuts(_image_set(images, masks, rows, NODULE_COLUMNS, banks.nodule_px, banks.mm_per_px), too_large, too_small)


def _sections(nodules: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """(label, slice, mask [h, w] of its largest part) for every slice of every nodule, by label, then by slice."""
    for label, box in enumerate(ndimage.find_objects(nodules.astype(np.int32, copy=False)), start=1):
        if box is None:
            continue
        for k in range(box[0].start, box[0].stop):
            where = np.zeros(nodules.shape[1:], bool)
            where[box[1:]] = shape.largest_part(nodules[k][box[1:]] == label)
            if where.any():
                yield label, k, where


def _cut_out(hu: np.ndarray, where: np.ndarray, mm: float, banks: Banks) -> tuple[np.ndarray, np.ndarray]:
    """Image and mask on the bank's grid, centred on the mask."""
    centre = shape.centroid_px(where)
    mask = resize_mask(where.astype(np.uint8), mm, banks.mm_per_px, banks.nodule_px, centre)
    patch = resize(np.clip(hu, *HU_RANGE), mm, banks.mm_per_px, banks.nodule_px, centre, fill=AIR_HU)
    kept = shape.grow_mm(mask, banks.margin_mm, banks.mm_per_px)
    return np.where(kept, np.rint(patch), AIR_HU).astype(np.int16), mask


def _touches_border(mask: np.ndarray) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def _nodule_row(
    scan: Prepared,
    label: int,
    k: int,
    where: np.ndarray,
    image: np.ndarray,
    mask: np.ndarray,
    mm_per_px: float,
    annotated: int | str,
) -> dict:
    centre = shape.centroid_px(where)
    side = nearest_side(scan.lungs[k], *centre)
    u, v = lung_boxes(scan.lungs[k])[side].to_uv(*centre) if side else (0.5, 0.5)
    place = (k, *centre)
    return {
        "id": f"{scan.scan}-n{label}-{k}",
        "patient": scan.patient,
        "scan": scan.scan,
        "nodule": label,
        **dict(zip(("slice", "row", "column"), place, strict=True)),
        **dict(zip(("x_mm", "y_mm", "z_mm"), map(float, scan.volume.to_mm(np.array(place))), strict=True)),
        **nodule.measure(image, mask, mm_per_px),
        "side": side,
        # A nodule on the wall may have its centre just outside the lung's box.
        "u": float(np.clip(u, 0, 1)),
        "v": float(np.clip(v, 0, 1)),
        "annotated": annotated,
        "source": "scan",
    }


def unmasked_places(scan: Prepared) -> pd.DataFrame:
    """Where the marks without a mask lie in the lungs' boxes: rows scan, nodule, side, u, v for the presence map.

    A mark's number is negative in the column `nodule`, which otherwise holds labels.
    """
    rows = []
    for mark in scan.unmasked.itertuples():
        k, *centre = scan.volume.to_index((mark.x_mm, mark.y_mm, mark.z_mm))
        k = int(np.clip(round(k), 0, len(scan.lungs) - 1))
        side = nearest_side(scan.lungs[k], *centre)
        if side:
            u, v = (float(np.clip(place, 0, 1)) for place in lung_boxes(scan.lungs[k])[side].to_uv(*centre))
            rows.append({"scan": scan.scan, "nodule": -int(mark.mark), "side": side, "u": u, "v": v})
    return pd.DataFrame(rows, columns=PLACE_COLUMNS)


def normal_slices(scan: Prepared, banks: Banks, image: Image, marks: np.ndarray | None = None) -> ImageSet:
    """Slices `normal_gap_mm` or more from any mark, with both lungs, on the image's grid; masks are the lungs.

    Args:
        marks: more labels [z, y, x] that a normal slice keeps away from (the annotation beside candidates).

    A slice counts if its lungs cover `min_lung_share` of the scan's largest section; every `normal_every`-th of
    these is taken. All are centred on the box round the scan's lungs.
    """
    if scan.kind == "patch" or not scan.lungs.any():
        return _image_set([], [], [], SLICE_COLUMNS, image.size_px, image.mm_per_px)
    marked = scan.marked().any((1, 2)) | (False if marks is None else marks.any((1, 2)))
    area = np.count_nonzero(scan.lungs, axis=(1, 2))
    both = shape.two_lungs(scan.lungs)
    apart = _distance_mm(marked, scan.volume.spacing_mm[0]) >= banks.normal_gap_mm
    chosen = np.flatnonzero(apart & ~marked & both & (area >= banks.min_lung_share * area.max()))[:: banks.normal_every]
    return _slices(scan, chosen, scan.lungs, image, np.zeros(len(chosen), int))


def lesion_slices(scan: Prepared, banks: Banks, image: Image) -> ImageSet:
    """Slices that show a nodule of `min_cut_px` of the image's pixels or more; masks hold k for the k-th lesion.

    Smaller lesions of such a slice are labelled too, in the order of the scan's labels.
    """
    least = np.pi / 4 * (banks.min_cut_px * image.mm_per_px) ** 2
    shown = [k for label, k, where in _sections(scan.nodules) if where.sum() * _pixel_mm(scan) ** 2 >= least]
    if scan.kind == "patch" or not shown:
        return _image_set([], [], [], SLICE_COLUMNS, image.size_px, image.mm_per_px)
    chosen = np.unique(shown)
    lesions = np.zeros(scan.nodules.shape, np.uint8)
    counts = []
    for k in chosen:
        labels = [label for label in np.unique(scan.nodules[k]) if label]
        for number, label in enumerate(labels, start=1):
            lesions[k][scan.nodules[k] == label] = number
        counts.append(len(labels))
    return _slices(scan, chosen, lesions, image, np.array(counts))


def _distance_mm(marked: np.ndarray, dz: float) -> np.ndarray:
    """Distance in mm of every slice to the nearest marked one; infinite where none is marked."""
    if not marked.any():
        return np.full(len(marked), np.inf)
    return ndimage.distance_transform_edt(~marked, sampling=dz)


def _slices(scan: Prepared, chosen: np.ndarray, labels: np.ndarray, image: Image, lesions: np.ndarray) -> ImageSet:
    mm = _pixel_mm(scan)
    grid = (mm, image.mm_per_px, image.size_px, _lung_centre(scan))
    images = [
        np.rint(resize(np.clip(scan.volume.hu[k], *HU_RANGE), *grid, fill=AIR_HU)).astype(np.int16) for k in chosen
    ]
    masks = [resize_mask(labels[k], *grid) for k in chosen]
    height = _z_fractions(scan.lungs)
    rows = [
        {
            "id": f"{scan.scan}-{k}",
            "patient": scan.patient,
            "scan": scan.scan,
            "slice": int(k),
            "z_fraction": float(height[k]),
            "lung_area_mm2": float(shape.areas_mm2(scan.lungs[k], mm)),
            "lesions": int(count),
            "source": "scan",
        }
        for k, count in zip(chosen, lesions, strict=True)
    ]
    return _image_set(images, masks, rows, SLICE_COLUMNS, image.size_px, image.mm_per_px)


def _lung_centre(scan: Prepared) -> tuple[float, float]:
    """(row, column) of the middle of the box round all of the scan's lungs; the image's middle where there are none."""
    lungs = scan.lungs.any(0)
    if not lungs.any():
        return (lungs.shape[0] - 1) / 2, (lungs.shape[1] - 1) / 2
    rows, columns = np.flatnonzero(lungs.any(1)), np.flatnonzero(lungs.any(0))
    return (rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2


def _image_set(
    images: list, masks: list, rows: list[dict], columns: tuple[str, ...], size_px: int, mm_per_px: float
) -> ImageSet:
    empty = np.zeros((0, size_px, size_px))
    return ImageSet(
        np.stack(images) if images else empty.astype(np.int16),
        np.stack(masks) if masks else empty.astype(np.uint8),
        mm_per_px,
        pd.DataFrame(rows, columns=list(columns)),
    )
