"""Positions that fit every lung: (u, v) in the bounding box of one lung in one slice.

u runs from 0 at the box's lowest column to 1 at its highest, v from the front (lowest row) to the back. The patient's
right (side 1) lies at low columns, as everywhere.
"""

from dataclasses import dataclass

import numpy as np

SIDES = (1, 2)


@dataclass(frozen=True)
class LungBox:
    """The box round one lung in one slice, in px: first row and column, height and width."""

    row: int
    column: int
    height: int
    width: int

    def to_px(self, u, v) -> tuple:
        """(row, column) of box positions, scalars or arrays; pixel centres are whole numbers."""
        return self.row + v * self.height - 0.5, self.column + u * self.width - 0.5

    def to_uv(self, row, column) -> tuple:
        """(u, v) of positions in px, not clipped: outside the box it is below 0 or above 1."""
        return (column - self.column + 0.5) / self.width, (row - self.row + 0.5) / self.height


def lung_boxes(lungs: np.ndarray) -> dict[int, LungBox]:
    """Side -> box, for the sides (1 right, 2 left) that a slice of labels [h, w] shows."""
    boxes = {}
    for side in SIDES:
        rows, columns = np.flatnonzero((lungs == side).any(1)), np.flatnonzero((lungs == side).any(0))
        if len(rows):
            height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
            boxes[side] = LungBox(int(rows[0]), int(columns[0]), int(height), int(width))
    return boxes


def nearest_side(lungs: np.ndarray, row: float, column: float) -> int:
    """Label of the lung whose pixels lie nearest to a position in px; 0 in a slice without lungs."""
    rows, columns = np.nonzero(lungs)
    if not len(rows):
        return 0
    nearest = np.argmin((rows - row) ** 2 + (columns - column) ** 2)
    return int(lungs[rows[nearest], columns[nearest]])
