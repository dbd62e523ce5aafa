"""Prepared scans: what the cohort's steps wrote and every later stage reads."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lungsynth.ct import volume as volumes
from lungsynth.sets.tables import read_csv
from lungsynth.study.errors import DataError


@dataclass(frozen=True)
class Prepared:
    """A usable scan.

    Attributes:
        scan, patient, role, kind: as in cohort.csv; kind is volume, slice or patch (a stack of unrelated slices).
        volume: int16 HU [z, y, x].
        lungs: uint8 [z, y, x], 1 right, 2 left; empty for patches.
        nodules: uint8 [z, y, x], k where the scan's mark with label k lies; 0 where nothing was marked.
    """

    scan: str
    patient: str
    role: str
    kind: str
    volume: volumes.Volume
    lungs: np.ndarray
    nodules: np.ndarray


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
    for row in table.itertuples():
        if str(row.batch) in places and (roles is None or row.role in roles):
            yield load(places[str(row.batch)], row)


def load(folder: Path, row) -> Prepared:
    """One scan of a batch's folder; `row` has scan, patient, role and kind."""
    volume = volumes.read(folder / f"{row.scan}.nii.gz")
    parts = {}
    for name in ("lungs", "nodules"):
        path = folder / f"{row.scan}_{name}.nii.gz"
        parts[name] = volumes.read(path).hu if path.is_file() else np.zeros(volume.hu.shape, np.uint8)
    return Prepared(row.scan, row.patient, row.role, row.kind, volume, **parts)
