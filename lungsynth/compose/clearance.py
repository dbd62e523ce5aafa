"""How far every group stays from the edge of every lung (FACTS 6, C2)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from lungsynth.compose.groups import apart_mm
from lungsynth.ct.distance import inside_mm
from lungsynth.ct.lungbox import SIDES, lung_boxes
from lungsynth.sets.bank import ImageSet
from lungsynth.study.stages.compose import Plan

BACKGROUND_MM = 3.0
"""What a lesion is laid on is averaged over this (sd of a Gaussian), so that a vessel alone does not forbid a place."""


@dataclass(frozen=True)
class Scores:
    """All pairs, float32 [normals, groups].

    Attributes:
        score: what the plan chooses by (larger is better); -inf where the pair may not be kept.
        clearance_mm: least of the members' distances to the lung's edge minus their radii; negative outside.
    """

    score: np.ndarray
    clearance_mm: np.ndarray


class Members:
    """The groups' table as arrays for fast scoring; rows are sorted by group."""

    def __init__(self, groups: pd.DataFrame, gap_mm: float):
        group = groups["group"].to_numpy()
        if (group[1:] < group[:-1]).any():
            raise ValueError("rows of the groups' table must be in the order of their groups")
        self.starts = np.flatnonzero(np.r_[True, group[1:] > group[:-1]])
        self.side, self.u, self.v = (groups[name].to_numpy() for name in ("side", "u", "v"))
        lengths = ("radius_mm", "reach_mm", "mean_hu")
        self.radius_mm, self.reach_mm, self.mean_hu = (groups[name].to_numpy(float) for name in lengths)
        self.first, self.second = _pairs(self.starts, len(groups))
        self.pair_group = np.searchsorted(self.starts, self.first, side="right") - 1
        lengths = (values[index] for values in (self.radius_mm, self.reach_mm) for index in (self.first, self.second))
        self.apart_mm = apart_mm(*lengths, gap_mm)

    def places(self, lungs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(row, column, there) int, int, bool: the pixels on which the members' centres come to lie in a normal.

        `there` is False where the normal does not show the member's lung; row and column are 0 then.
        """
        row, column = np.zeros(len(self.side), int), np.zeros(len(self.side), int)
        there = np.zeros(len(self.side), bool)
        for side, box in lung_boxes(lungs).items():
            mine = self.side == side
            place = np.stack(box.to_px(self.u[mine].astype(float), self.v[mine].astype(float)))
            place = np.clip(np.rint(place).astype(int), 0, np.array(lungs.shape)[:, None] - 1)
            row[mine], column[mine], there[mine] = place[0], place[1], True
        return row, column, there


def _pairs(starts: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of all pairs of rows that belong to one group."""
    pairs = [
        (a, b)
        for start, stop in zip(starts, [*starts[1:], n], strict=True)
        for a in range(start, stop)
        for b in range(a + 1, stop)
    ]
    both = np.array(pairs, int).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def score_normal(
    image: np.ndarray, lungs: np.ndarray, mm_per_px: float, members: Members, settings: Plan
) -> tuple[np.ndarray, np.ndarray]:
    """(score, clearance_mm) float32 [groups] of all groups on one normal, its HU and lungs [h, w]; see `Scores`.

    A pair may not be kept if a lesion's mask would leave the lung, if two members come too near in this normal, or if
    a lesion would not stand out: a lesion never darkens what it is laid on, so it would vanish on dense tissue.
    """
    row, column, there = members.places(lungs)
    distance = np.where(there, _depth(lungs, mm_per_px, members.side, row, column), 0)
    clearance = np.minimum.reduceat(distance - members.radius_mm, members.starts)
    # All mask pixels are within reach of the centre, the nearest pixel outside the lung is farther than that.
    inside = distance > members.reach_mm
    around = ndimage.gaussian_filter(image.astype(np.float32), BACKGROUND_MM / mm_per_px)[row, column]
    stands_out = members.mean_hu - around >= settings.min_contrast_hu
    fits = np.minimum.reduceat((inside & stands_out).astype(int), members.starts).astype(bool)
    between = mm_per_px * np.hypot(*(axis[members.first] - axis[members.second] for axis in (row, column)))
    same_side = members.side[members.first] == members.side[members.second]
    fits[members.pair_group[same_side & (between < members.apart_mm)]] = False
    score = _score(distance, clearance, members, settings.score)
    return np.where(fits & (clearance >= 0), score, -np.inf).astype(np.float32), clearance.astype(np.float32)


def _depth(lungs: np.ndarray, mm: float, side: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Distance in mm of each place to the nearest pixel that is not in its own lung."""
    depth = np.zeros(len(side))
    for label in SIDES:
        mine = side == label
        if mine.any():
            depth[mine] = inside_mm(lungs == label, mm)[row[mine], column[mine]]
    return depth


def _score(distance: np.ndarray, clearance: np.ndarray, members: Members, how: str) -> np.ndarray:
    if how == "min_clearance":
        return clearance
    if how == "min_center":
        return np.minimum.reduceat(distance, members.starts)
    values = distance - members.radius_mm if how == "mean_clearance" else distance
    sizes = np.diff(np.r_[members.starts, len(distance)])
    return np.add.reduceat(values, members.starts) / sizes


def score_all(normals: ImageSet, groups: pd.DataFrame, settings: Plan, gap_mm: float) -> Scores:
    """Scores of every group on every normal; one distance map a lung, one lookup of all members, one reduceat."""
    members = Members(groups, gap_mm)
    rows = [
        score_normal(image, lungs, normals.mm_per_px, members, settings)
        for image, lungs in zip(normals.images, normals.masks, strict=True)
    ]
    return Scores(np.stack([score for score, _ in rows]), np.stack([clearance for _, clearance in rows]))
