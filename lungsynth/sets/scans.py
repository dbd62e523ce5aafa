"""Prepared scans: what the cohort's steps wrote and every later stage reads. All of them are upright."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from lungsynth.ct import volume as volumes
from lungsynth.sets import boxes
from lungsynth.sets.tables import read_csv
from lungsynth.study.errors import DataError

MARK = ["scan", "mark", "x_mm", "y_mm", "z_mm", "diameter_mm"]
"""What a mark without a mask is known by."""


@dataclass(frozen=True)
class Prepared:
    """A usable scan.

    Attributes:
        scan, patient, role, kind: as in cohort.csv; kind is volume, slice or patch (a stack of unrelated slices).
        volume: int16 HU [z, y, x].
        lungs: uint8 [z, y, x], 1 right, 2 left; empty for patches.
        nodules: uint8 [z, y, x], k where the scan's mark with label k lies; 0 where nothing was marked.
        shares: uint8 [z, y, x], the share of a nodule's readers who hold a voxel, 255 of all; None: nobody's own
            outline is known, and `nodules` is all there is.
        axes: where the axes of the scan's own file point to, to write what was found on its grid (`volumes.turned`).
        unmasked: rows of marks.csv of marks without a mask (a box, say): nobody knows which voxels they mean.
        boxes: rows of boxes.csv, the rectangles of some of these in their slices.
    """

    scan: str
    patient: str
    role: str
    kind: str
    volume: volumes.Volume
    lungs: np.ndarray
    nodules: np.ndarray
    axes: str = volumes.UPRIGHT
    unmasked: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=MARK))
    boxes: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=boxes.COLUMNS))
    shares: np.ndarray | None = None

    def marked(self) -> np.ndarray:
        """bool [z, y, x]: what may be lesion: the nodules, and the box of each mark without a mask, or a ball."""
        found = self.nodules > 0
        for _, part in boxes.blocks(self.volume, self.boxes):
            found[part] = True
        for mark in self.unmasked[~self.unmasked["mark"].isin(self.boxes["mark"])].itertuples():
            box, ball = self.volume.ball((mark.x_mm, mark.y_mm, mark.z_mm), mark.diameter_mm / 2)
            found[box] |= ball
        return found

    def with_boxes(self, candidates: pd.DataFrame, labels: np.ndarray) -> pd.DataFrame:
        """A table of candidates 1, 2, ... of a label volume with the column `boxes.HITS`: the boxes that each hits."""
        return candidates.assign(**{boxes.HITS: boxes.hit_by(labels, self.volume, self.boxes)})


def usable(cohort: str | Path, roles: Iterable[str] | None = None) -> pd.DataFrame:
    """The rows of cohort.csv whose verdict is ok, of the given roles, in the table's order.

    Raises:
        DataError: there is none.
    """
    table = read_csv(cohort)
    table = table[table["verdict"] == "ok"]
    if roles is not None:
        table = table[table["role"].isin(list(roles))]
    if table.empty:
        raise DataError(
            f"{cohort}: no usable scan has a role of {', '.join(roles or ['any'])}; see quarantine.csv beside it"
        )
    return table.reset_index(drop=True)


def prepared(
    cohort: str | Path, folders: Iterable[Path], roles: Iterable[str] | None = None, only: Path | None = None
) -> Iterator[Prepared]:
    """Usable scans one after the other.

    Args:
        cohort: cohort.csv.
        folders: the folders scans/BATCH that hold the volumes.
        only: a single one of these folders, where a step works on one batch; nothing is yielded if it holds none.
    """
    table = read_csv(cohort)
    table = table[table["verdict"] == "ok"] if only is not None else usable(cohort, roles)
    places = {str(folder.name): folder for folder in ([only] if only is not None else folders)}
    beside = {name: (unmasked_marks(folder), marked_boxes(folder)) for name, folder in places.items()}
    for row in table.itertuples():
        name = str(row.batch)
        if name in places and (roles is None or row.role in roles):
            yield load(places[name], row, *(table[table["scan"] == row.scan] for table in beside[name]))


def unmasked_marks(folder: Path) -> pd.DataFrame:
    """Marks without a mask of all scans of a batch's folder."""
    path = folder / "marks.csv"
    if not path.is_file():
        return pd.DataFrame(columns=MARK)
    marks = read_csv(path)
    return marks.loc[marks["label"] == 0, MARK]


def marked_boxes(folder: Path) -> pd.DataFrame:
    """Boxes of the lesions of all scans of a batch's folder, a row a slice."""
    path = folder / "boxes.csv"
    return read_csv(path) if path.is_file() else pd.DataFrame(columns=boxes.COLUMNS)


def load(folder: Path, row, unmasked: pd.DataFrame, marked: pd.DataFrame) -> Prepared:
    """One scan of a batch's folder; `row` has scan, patient, role, kind and axes."""
    volume = volumes.read(folder / f"{row.scan}.nii.gz")
    parts = {}
    for name in ("lungs", "nodules"):
        path = folder / f"{row.scan}_{name}.nii.gz"
        parts[name] = volumes.read(path).hu if path.is_file() else np.zeros(volume.hu.shape, np.uint8)
    path = folder / f"{row.scan}_shares.nii.gz"
    parts["shares"] = volumes.read(path).hu if path.is_file() else None
    return Prepared(
        row.scan, row.patient, row.role, row.kind, volume, **parts, axes=row.axes, unmasked=unmasked, boxes=marked
    )
