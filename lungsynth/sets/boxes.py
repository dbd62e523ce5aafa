"""Boxes that a radiologist drew round a lesion: the voxels in one, and what hits it.

A lesion has a rectangle in each of its slices (boxes.csv, one row each, as thick as the slice); marks.csv has the least
box that holds them all.

The rule: a finding hits a lesion that was marked by boxes when a voxel of its mask lies in one of its slices and in the
rectangle there; where a finding has no mask, when its place lies in the box that holds them all. A box says nothing of
a radius, so LUNA16's rule cannot hold for it.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from lungsynth.ct.volume import Volume

BOX = ("x_min_mm", "y_min_mm", "z_min_mm", "x_max_mm", "y_max_mm", "z_max_mm")
"""Columns of marks.csv and boxes.csv, LPS, from half a slice below to half a slice above; empty: no box."""
COLUMNS = ("scan", "mark", *BOX)
"""Of boxes.csv."""
HITS = "boxes"
"""Column of a table of candidates: the marks, `mark-NUMBER`, whose boxes its mask meets, or NO_BOX; empty: no mask."""
NO_BOX = "none"
ROUNDING = 1e-3


def boxed(marks: pd.DataFrame) -> np.ndarray:
    """Which marks have a box, bool [marks]; a table of another source has no such columns."""
    if not set(BOX) <= set(marks.columns):
        return np.zeros(len(marks), bool)
    return marks[list(BOX)].notna().all(axis=1).to_numpy()


def block(volume: Volume, box_mm: tuple[float, ...]) -> tuple[slice, slice, slice]:
    """The part of an upright volume's array that a box (values of BOX) holds: one voxel in each direction at least."""
    corners = volume.to_index(np.reshape(box_mm, (2, 3)))
    low = np.clip(np.ceil(corners.min(0) - ROUNDING), 0, np.array(volume.hu.shape) - 1).astype(int)
    high = np.clip(np.floor(corners.max(0) + ROUNDING).astype(int) + 1, low + 1, volume.hu.shape)
    return tuple(slice(a, b) for a, b in zip(low, high, strict=True))


def blocks(volume: Volume, boxes: pd.DataFrame) -> Iterator[tuple[int, tuple[slice, slice, slice]]]:
    """Number of the mark and part of the array for each row of a scan's boxes.csv."""
    for number, *box_mm in boxes[["mark", *BOX]].itertuples(index=False):
        yield int(number), block(volume, tuple(box_mm))


def hit_by(labels: np.ndarray, volume: Volume, boxes: pd.DataFrame) -> list[str]:
    """For candidates 1, 2, ... of a label volume [z, y, x] the cells of the column HITS; boxes: the scan's COLUMNS."""
    met: list[set[int]] = [set() for _ in range(int(labels.max(initial=0)))]
    for number, part in blocks(volume, boxes):
        for label in set(np.unique(labels[part]).tolist()) - {0}:
            met[label - 1].add(number)
    return [" ".join(f"mark-{number}" for number in sorted(numbers)) or NO_BOX for numbers in met]


def hits(marks: pd.DataFrame, findings: pd.DataFrame) -> np.ndarray:
    """Which findings hit which boxes of one scan, bool [marks, findings].

    Args:
        marks: with a box each: mark and BOX.
        findings: x_mm, y_mm, z_mm, and HITS where they have masks.
    """
    if not len(marks):
        return np.zeros((0, len(findings)), bool)
    low, high = np.split(marks[list(BOX)].to_numpy(float), 2, axis=1)
    places = findings[["x_mm", "y_mm", "z_mm"]].to_numpy(float)[None]
    found = ((low[:, None] - ROUNDING <= places) & (places <= high[:, None] + ROUNDING)).all(-1)
    if HITS not in findings:
        return found
    cells = findings[HITS].fillna("").astype(str)
    by_mask = [[f"mark-{mark}" in cell.split() for cell in cells] for mark in marks["mark"]]
    return np.where(cells == "", found, np.reshape(by_mask, found.shape))
