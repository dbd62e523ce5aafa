"""What a network has to beat: dense, compact things in the lungs, by threshold and opening; no training at all."""

import numpy as np
import pandas as pd
from scipy import ndimage

from lungsynth.ct.shape import compactness
from lungsynth.ct.volume import Volume
from lungsynth.segment.inference import candidates

DENSE_HU = -450.0
"""Half way between lung (-860) and soft tissue (0)."""
RADII_MM = (1.4, 2.0, 2.8, 3.5)
"""Radii of the opening that are tried on the tune scans: it wipes out what is thinner, vessels above all."""
LARGEST_MM = 35.0


def ball(radius_mm: float, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """A ball as what a mask is opened with, bool [z, y, x]."""
    reach = [int(np.floor(radius_mm / step)) for step in spacing_mm]
    axes = np.meshgrid(*[np.arange(-r, r + 1) for r in reach], indexing="ij")
    return sum((axis * step) ** 2 for axis, step in zip(axes, spacing_mm, strict=True)) <= radius_mm**2 + 1e-6


def find(
    scan: str,
    volume: Volume,
    lungs: np.ndarray,
    radius_mm: float,
    min_diameter_mm: float = 3.0,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Candidates of a scan, as `candidates.find`; their probability is the compactness.

    volume: HU int16; lungs: labels [z, y, x], vessels and nodules included; radius_mm: of the opening.
    """
    boxes = ndimage.find_objects((lungs > 0).astype(np.uint8))
    labels = np.zeros(lungs.shape, np.int32)
    if not boxes:
        return candidates.measure(scan, labels, np.empty(0), volume), labels
    box = boxes[0]
    dense = (volume.hu[box] > DENSE_HU) & (lungs[box] > 0)
    opened = np.zeros(lungs.shape, bool)
    opened[box] = ndimage.binary_opening(dense, ball(radius_mm, volume.spacing_mm))
    labels = candidates.components(opened, volume, lungs, min_diameter_mm, 0.0)
    table = candidates.measure(scan, labels, compactness(labels, volume.spacing_mm), volume)
    if not len(table):
        return table, labels
    small = (table["diameter_mm"] <= LARGEST_MM).to_numpy()
    renumber = np.concatenate([[0], np.where(small, np.cumsum(small), 0)]).astype(np.int32)
    table = table[small].reset_index(drop=True)
    return table.assign(label=np.arange(1, len(table) + 1)), renumber[labels]
