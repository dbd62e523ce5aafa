"""From a probability volume to candidates: 3-D components with a place in mm, a size and a score (FACTS 3.4)."""

from typing import Literal

import numpy as np
import pandas as pd
from scipy import ndimage

from lungsynth.ct.shape import ball_diameter_mm, ball_mm3, compactness
from lungsynth.ct.volume import Volume
from lungsynth.study.stages.segment import OperatingPointSettings

COLUMNS = ["scan", "label", "x_mm", "y_mm", "z_mm", "probability", "diameter_mm", "volume_mm3", "slices"]
MEASURED = ["x_mm", "y_mm", "z_mm", "diameter_mm", "volume_mm3", "slices"]
"""Those of `COLUMNS` that follow from a candidate's voxels."""
EVERY_NEIGHBOUR = np.ones((3, 3, 3), bool)
Score = Literal["max", "mean", "shape"]
TYPICAL_MM3 = 100.0
"""Volume at which the size neither adds to the shape score nor takes from it: a nodule of 5.8 mm."""
STRICTEST = 254.5 / 255
"""A probability beyond it has no finite odds in eight bits."""
STEP = 0.1
"""Between the levels at which a component is looked at for better parts."""


def near_lungs(voxels: np.ndarray, lungs: np.ndarray, margin_mm: float, spacing_mm: tuple[float, ...]) -> np.ndarray:
    """Which voxels [n, 3] (z, y, x) have a lung voxel within `margin_mm`, bool [n].

    The voxels above a threshold are few: looking round each is much cheaper than a distance map of the whole scan.
    """
    near = lungs[tuple(voxels.T)] > 0
    reach = [int(np.floor(margin_mm / step)) for step in spacing_mm]
    offsets = np.stack(np.meshgrid(*[np.arange(-r, r + 1) for r in reach], indexing="ij"), axis=-1).reshape(-1, 3)
    distance = np.sqrt(((offsets * np.asarray(spacing_mm)) ** 2).sum(1))
    for offset in offsets[(distance <= margin_mm) & (distance > 0)]:
        open_ = np.flatnonzero(~near)
        at = voxels[open_] + offset
        inside = ((at >= 0) & (at < lungs.shape)).all(axis=1)
        near[open_[inside]] = lungs[tuple(at[inside].T)] > 0
    return near


def components(
    mask: np.ndarray, volume: Volume, lungs: np.ndarray, min_diameter_mm: float, margin_mm: float
) -> np.ndarray:
    """The components (26 neighbours) of a mask in the grown lungs that have at least the volume of the small sphere.

    mask: bool [z, y, x] on the grid of `volume`; returns int32 labels 1..n without gaps, in the order of the array.
    """
    labels = np.zeros(mask.shape, np.int32)
    voxels = np.argwhere(mask)
    if not len(voxels):
        return labels
    voxels = voxels[near_lungs(voxels, lungs, margin_mm, volume.spacing_mm)]
    if not len(voxels):
        return labels
    low, high = voxels.min(0), voxels.max(0) + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    kept = np.zeros(high - low, bool)
    kept[tuple((voxels - low).T)] = True
    parts, n = ndimage.label(kept, EVERY_NEIGHBOUR)
    voxel_mm3 = float(np.prod(volume.spacing_mm))
    # The smallest ball is compared with half a voxel of tolerance: its own voxels rarely add up to its volume.
    large = np.bincount(parts.ravel(), minlength=n + 1) * voxel_mm3 >= ball_mm3(min_diameter_mm) - voxel_mm3 / 2
    large[0] = False
    labels[box] = np.where(large, np.cumsum(large), 0)[parts]
    return labels


def shape_score(best: np.ndarray, compact: np.ndarray, mm3: np.ndarray) -> np.ndarray:
    """The odds of the largest probability times compactness times sqrt(volume / 100 mm3), as a probability.

    What a network takes for nodules by mistake is small or a piece of a vessel, and so is ranked below.
    """
    odds = best / (1 - np.minimum(best, STRICTEST)) * compact * np.sqrt(mm3 / TYPICAL_MM3)
    return odds / (1 + odds)


def scored(labels: np.ndarray, probability: np.ndarray, volume: Volume, score: Score) -> np.ndarray:
    """[components] what ranks a component: its maximum, its mean, or "shape".

    probability: uint8 0..255 [z, y, x]. "shape" is the `shape_score` of the maximum.
    """
    voxels = labels > 0
    label, value = labels[voxels], probability[voxels] / 255
    count = np.bincount(label)[1:]
    if score == "mean":
        return np.bincount(label, value)[1:] / count
    best = np.zeros(len(count))
    np.maximum.at(best, label - 1, value)
    if score == "max":
        return best
    return shape_score(best, compactness(labels, volume.spacing_mm), count * float(np.prod(volume.spacing_mm)))


def levels_from(threshold: float) -> np.ndarray:
    """The levels at which a component is looked at for better parts: the threshold and steps of .1 above it."""
    return threshold + STEP * np.arange(max(1, int(np.ceil((1 - threshold) / STEP - 1e-9))))


def taken_apart(
    probability: np.ndarray,
    volume: Volume,
    lungs: np.ndarray,
    threshold: float,
    min_diameter_mm: float,
    margin_mm: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Components above a threshold, but parts of one where it has parts above a higher level of a better shape score.

    The levels rise in steps of .1. A nodule that one threshold joins with a vessel stands alone at a higher one; the
    tree of nested components (as of MSER, Matas 2002) is cut where the best score of each branch lies. Arguments as
    `find` has.

    Returns:
        int32 labels without gaps, in the order of the array, and the shape score of each, [components].
    """
    levels = levels_from(threshold)
    trees = [components(probability >= level * 255, volume, lungs, min_diameter_mm, margin_mm) for level in levels]
    scores = [scored(labels, probability, volume, "shape") for labels in trees]
    best, whole = scores[-1], [np.ones(len(one), bool) for one in scores]
    for k in range(len(levels) - 2, -1, -1):
        parts = np.zeros(len(scores[k]))
        inside = trees[k + 1] > 0
        np.maximum.at(parts, trees[k][inside] - 1, best[trees[k + 1][inside] - 1])
        whole[k] = scores[k] >= parts
        best = np.maximum(scores[k], parts)
    out, count, kept_scores = np.zeros(probability.shape, np.int32), 0, []
    open_ = trees[0] > 0
    for labels, kept, rank in zip(trees, whole, scores, strict=True):
        numbers = np.concatenate([[0], np.where(kept, np.cumsum(kept) + count, 0)]).astype(np.int32)
        found = open_ & (numbers[labels] > 0)
        out[found] = numbers[labels[found]]
        open_ &= ~found
        count += int(kept.sum())
        kept_scores.append(rank[kept])
    return in_order(out, np.concatenate(kept_scores))


def sharing_most(labels: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """The body of a label volume, bool [z, y, x], that shares most voxels with a mask; None where none shares any."""
    shared = np.bincount(labels[mask], minlength=1)
    shared[0] = 0
    return labels == shared.argmax() if shared.any() else None


def in_order(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same components, numbered 1..n in the order of their first voxels, and their scores.

    scores: [largest label]; those of labels without a voxel fall out.
    """
    voxels = np.flatnonzero(labels)
    values, first = np.unique(labels.ravel()[voxels], return_index=True)
    values = values[np.argsort(first, kind="stable")]
    numbers = np.zeros(int(labels.max()) + 1, np.int32)
    numbers[values] = np.arange(1, len(values) + 1)
    return numbers[labels], scores[values - 1]


def measure(scan: str, labels: np.ndarray, rank: np.ndarray, volume: Volume) -> pd.DataFrame:
    """One row a component: centroid in LPS mm, equivalent diameter, number of slices, probability.

    rank: [components] the probability of each, such as `scored` gives.
    """
    voxels = np.argwhere(labels)
    if not len(voxels):
        return pd.DataFrame({name: pd.Series(dtype=str if name == "scan" else float) for name in COLUMNS})
    label = labels[tuple(voxels.T)]
    count = np.bincount(label)[1:]
    centre = np.stack([np.bincount(label, axis)[1:] / count for axis in voxels.T], axis=1)
    sizes = count * float(np.prod(volume.spacing_mm))
    first, last = (np.full(len(count), edge) for edge in (len(labels), -1))
    np.minimum.at(first, label - 1, voxels[:, 0])
    np.maximum.at(last, label - 1, voxels[:, 0])
    x, y, z = volume.to_mm(centre).T
    values = [scan, np.arange(1, len(count) + 1), x, y, z, rank, ball_diameter_mm(sizes), sizes]
    return pd.DataFrame(dict(zip(COLUMNS, [*values, last - first + 1], strict=True)))


def measured_again(table: pd.DataFrame, scan: str, labels: np.ndarray, volume: Volume) -> pd.DataFrame:
    """A table of candidates with places and sizes of those that have voxels in a label volume [z, y, x].

    Other rows and columns stay: what ranks a candidate is the detector's.
    """
    numbers = np.unique(labels[labels > 0])
    compact = np.zeros(labels.max(initial=0) + 1, np.int32)
    compact[numbers] = np.arange(1, len(numbers) + 1)
    anew = measure(scan, compact[labels], np.zeros(len(numbers)), volume).assign(label=numbers).set_index("label")
    # A column of whole numbers comes back from its file as one.
    table = table.astype({name: float for name in MEASURED if name != "slices"})
    rows = (table["scan"] == scan) & table["label"].isin(numbers)
    for name in MEASURED:
        table.loc[rows, name] = anew.loc[table.loc[rows, "label"], name].to_numpy()
    return table


def find(
    scan: str,
    probability: np.ndarray,
    volume: Volume,
    lungs: np.ndarray,
    threshold: float,
    point: OperatingPointSettings,
) -> tuple[pd.DataFrame, np.ndarray]:
    """The candidates of a scan and their labels.

    Args:
        probability: uint8 0..255 [z, y, x] on the grid of `volume` (only its geometry is used).
        lungs: labels [z, y, x], 0 outside.
        threshold: probability from which a voxel counts, 0..1.
        point: the study's `segment.operating_point`: smallest component, margin round the lungs, what ranks them. With
            the score "shape" a component is taken apart where its parts score better (`taken_apart`).

    Returns:
        A table with `COLUMNS`, one row a candidate, `label` its number in the second value, int32 [z, y, x].
    """
    sizes = point.min_diameter_mm, point.lung_margin_mm
    if point.candidate_score == "shape":
        labels, rank = taken_apart(probability, volume, lungs, threshold, *sizes)
    else:
        labels = components(probability >= threshold * 255, volume, lungs, *sizes)
        rank = scored(labels, probability, volume, point.candidate_score)
    return measure(scan, labels, rank, volume), labels
