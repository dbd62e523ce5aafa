"""Boxes in Pascal VOC files, one file a slice, named by the slice's SOP UID."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lungsynth.cohort.base import Mark
from lungsynth.cohort.xml import parse
from lungsynth.ct.volume import Volume
from lungsynth.study.errors import DataError


class Box(NamedTuple):
    """A box in one slice, in pixels."""

    plane: int
    low: tuple[float, float]
    high: tuple[float, float]

    @property
    def area(self) -> float:
        return (self.high[0] - self.low[0]) * (self.high[1] - self.low[1])


def read_boxes(path: Path, plane: int) -> list[Box]:
    """The boxes of one file; rows and columns run from ymin and xmin.

    Raises:
        DataError: no XML, or a box without area.
    """
    boxes = []
    for item in parse(path).iter("bndbox"):
        try:
            x0, y0, x1, y1 = (float(item.findtext(name)) for name in ("xmin", "ymin", "xmax", "ymax"))
        except (TypeError, ValueError):
            raise DataError(f"{path}: a box lacks a number (xmin, ymin, xmax, ymax)") from None
        if not (x1 > x0 and y1 > y0):  # so that no NaN passes
            raise DataError(f"{path}: a box from {x0:g}, {y0:g} to {x1:g}, {y1:g} has no area")
        boxes.append(Box(plane, (y0, x0), (y1, x1)))
    return boxes


def box_marks(volume: Volume, files: Mapping[str, Path], sops: Sequence[str]) -> tuple[Mark, ...]:
    """One mark a lesion: boxes that overlap in neighbouring slices are one; the largest gives place and diameter.

    Each keeps the boxes of all its slices.

    Args:
        files: SOP UID -> VOC file. sops: the SOP UID of every slice of the volume.

    Raises:
        DataError: a box that leaves the slice.
    """
    lesions: list[list[Box]] = []
    for plane, sop in enumerate(sops):
        for box in read_boxes(files[sop], plane) if sop in files else []:
            if min(box.low) < -1 or box.high[0] > volume.hu.shape[1] + 1 or box.high[1] > volume.hu.shape[2] + 1:
                raise DataError(f"{files[sop]}: a box leaves the slice")
            same = next((lesion for lesion in lesions if _continues(lesion[-1], box)), None)
            if same is None:
                lesions.append([box])
            else:
                same.append(box)
    return tuple(_mark(volume, lesion) for lesion in lesions)


def _continues(last: Box, box: Box) -> bool:
    overlap = np.minimum(last.high, box.high) - np.maximum(last.low, box.low)
    return box.plane - last.plane == 1 and bool((overlap > 0).all())


def _mark(volume: Volume, lesion: list[Box]) -> Mark:
    largest = max(lesion, key=lambda box: box.area)
    row, column = ((a + b) / 2 for a, b in zip(largest.low, largest.high, strict=True))
    sides = (np.array(largest.high) - largest.low) * volume.spacing_mm[1:]
    centre = tuple(float(c) for c in volume.to_mm([largest.plane, row, column]))
    return Mark(centre, float(sides.mean()), note="box", boxes_mm=tuple(_slab(volume, box) for box in lesion))


def _slab(volume: Volume, box: Box) -> tuple[float, ...]:
    """A box as thick as its slice, in LPS mm."""
    corners = volume.to_mm([(box.plane - 0.5, *box.low), (box.plane + 0.5, *box.high)])
    return (*corners.min(0).tolist(), *corners.max(0).tolist())
