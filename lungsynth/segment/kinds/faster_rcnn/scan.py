"""Boxes of a whole scan: slice by slice, then those of one nodule merged over slices."""

from dataclasses import dataclass

import numpy as np
import torch
from monai.data.box_utils import box_iou
from torch.nn import functional

from lungsynth.ct.hu import AIR_HU
from lungsynth.segment.inference.grid import Grid, grid_position, mask_to_grid, pixel_mm, to_grid
from lungsynth.segment.inference.planes import Scan
from lungsynth.segment.inference.slices import MARGIN_PX
from lungsynth.segment.kinds.faster_rcnn import boxes as plane
from lungsynth.segment.kinds.faster_rcnn.modules import Proposer
from lungsynth.segment.kinds.faster_rcnn.settings import Settings

SAME = 0.3
"""IoU of two judged boxes of a slice from which the worse one falls out."""


@dataclass(frozen=True)
class Boxes:
    """Judged boxes of a scan on its own grid.

    Attributes:
        slices: int [n]; corners: float [n, 4] row_min, column_min, row_max, column_max in px; probability: [n].
    """

    slices: np.ndarray
    corners: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True)
class Merged:
    """A candidate: its place on the scan's grid (slice, row, column), its best box's probability and mean side."""

    index: np.ndarray
    probability: float
    diameter_mm: float


def found_in(
    module: Proposer, scan: Scan, grid: Grid, slices: int, sides: tuple[float, ...], settings: Settings
) -> Boxes:
    """All boxes that touch the lungs, of every slice that has any."""
    mm, last = pixel_mm(scan.volume), len(scan.volume.hu) - 1
    grid_mm, around = grid.mm(mm), np.arange(slices) - slices // 2
    parts = [(np.empty(0, int), np.empty((0, 4)), np.empty(0))]
    for k in np.flatnonzero(scan.lungs.any((1, 2))):
        hu = to_grid(scan.volume.hu[np.clip(k + around, 0, last)], mm, grid_mm)
        lungs = mask_to_grid(scan.lungs[k : k + 1], mm, grid_mm)[0] > 0
        corners, sure = _of_slice(module, hu, lungs, sides, settings)
        for axis, (size, grid_size) in enumerate(zip(scan.lungs.shape[1:], lungs.shape, strict=True)):
            # Corners are edges of pixels; half a pixel further in lie the middles that positions are of.
            at = corners[:, axis::2] - 0.5
            corners[:, axis::2] = grid_position(at, grid_size, size, grid_mm / mm) + 0.5
        parts.append((np.full(len(sure), k), corners, sure))
    return Boxes(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _of_slice(
    module: Proposer, hu: np.ndarray, lungs: np.ndarray, sides: tuple[float, ...], settings: Settings
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes [n, 4] of a slice on the network's grid, and their probabilities [n].

    hu: int16 [slices, rows, columns]; lungs: bool [rows, columns].
    """
    box = _with_margin(lungs)
    if box is None:
        return np.empty((0, 4)), np.empty(0)
    own, how, device = settings.architecture, settings.proposals, next(module.parameters()).device
    seen = torch.from_numpy(np.ascontiguousarray(hu[:, *box], np.float32))[None].to(device)
    size = tuple(seen.shape[-2:])
    short = [-side % own.multiple for side in reversed(size)]
    with torch.inference_mode():
        cells, logits, changes = module(functional.pad(seen, (0, short[0], 0, short[1]), value=AIR_HU))
        anchors = plane.anchors(*cells.shape[-2:], module.stride, sides).to(device)
        boxes = plane.proposed(changes[0], logits[0], anchors, size, how)
        if not len(boxes):
            return np.empty((0, 4)), np.empty(0)
        answer, refined = module.judged(cells[0], boxes)
        sure, boxes = (answer / own.temperature).sigmoid(), plane.within(plane.decoded(refined, boxes), size)
        kept = (sure >= how.least) & ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(dim=1)
        sure, boxes = sure[kept], boxes[kept]
        kept = plane.best_of(boxes, sure, SAME)
    corners, sure = (value[kept].cpu().numpy().astype(float) for value in (boxes, sure))
    corners += np.tile([side.start for side in box], 2)
    inside = np.array([lungs[_pixels(corner)].any() for corner in corners], bool)
    return corners[inside], sure[inside]


def _pixels(corner: np.ndarray) -> tuple[slice, slice]:
    low, high = np.floor(corner[:2]).astype(int), np.ceil(corner[2:]).astype(int)
    return slice(low[0], high[0]), slice(low[1], high[1])


def _with_margin(lungs: np.ndarray) -> tuple[slice, slice] | None:
    """The box of rows and columns round the lungs, with the wall behind them."""
    if not lungs.any():
        return None
    ends = [(np.flatnonzero(lungs.any(axis=1 - axis))[[0, -1]], lungs.shape[axis]) for axis in (0, 1)]
    return tuple(slice(max(0, a - MARGIN_PX), min(size, b + 1 + MARGIN_PX)) for (a, b), size in ends)


def merged(boxes: Boxes, spacing_mm: tuple[float, float, float], overlap: float) -> list[Merged]:
    """Candidates, the best first: a box and those that overlap it, or lie in it, in slices as far away as it is wide.

    Nodules are round, vessels are not: what runs on through more slices is a candidate of its own. The place is the
    mean of the boxes' middles, weighted by probability.
    """
    corners, probability = torch.from_numpy(boxes.corners), boxes.probability
    widths_mm = (boxes.corners[:, 2:] - boxes.corners[:, :2]).mean(axis=1) * spacing_mm[2]
    middles = np.column_stack([boxes.slices, (boxes.corners[:, :2] + boxes.corners[:, 2:]) / 2 - 0.5])
    free, found = np.ones(len(probability), bool), []
    for best in np.argsort(-probability, kind="stable"):
        if not free[best]:
            continue
        apart_mm = np.abs(boxes.slices - boxes.slices[best]) * spacing_mm[0]
        alike = box_iou(corners, corners[best : best + 1])[:, 0].numpy() > overlap
        in_it = (middles[:, 1:] >= boxes.corners[best, :2]) & (middles[:, 1:] < boxes.corners[best, 2:])
        own = free & (alike | in_it.all(axis=1)) & (apart_mm <= max(widths_mm[best], spacing_mm[0]))
        own[best] = True
        free &= ~own
        place = np.average(middles[own], axis=0, weights=probability[own])
        found.append(Merged(place, float(probability[best]), float(widths_mm[best])))
    return found
