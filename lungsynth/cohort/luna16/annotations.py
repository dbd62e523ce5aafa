"""annotations.csv: where LUNA16's nodules are; annotations_excluded.csv: what is neither nodule nor healthy."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lungsynth.cohort.names import entries, link_fault, public_id
from lungsynth.sets.findings import read_findings
from lungsynth.study.errors import DataError

EXCLUDED = "annotations_excluded.csv"


class Annotation(NamedTuple):
    """A row: its line in the file, the centre in LPS mm and the diameter."""

    line: int
    centre_mm: tuple[float, float, float]
    diameter_mm: float


def read_annotations(path: Path) -> dict[str, list[Annotation]]:
    """Series UID -> its annotations in file order.

    Raises:
        DataError: a column is missing, a value is no number or a diameter is not above 0; names the row.
    """
    found: dict[str, list[Annotation]] = {}
    for line, series, x, y, z, diameter in read_findings(path).itertuples():
        if diameter <= 0:
            raise DataError(f"{path}: row {line}, diameter_mm: {diameter:g} is not above 0")
        found.setdefault(series, []).append(Annotation(line, (x, y, z), diameter))
    return found


def read_excluded(root: Path) -> pd.DataFrame | None:
    """Findings that count neither way, of every `annotations_excluded.csv` under a folder; None without one.

    scan, x_mm, y_mm, z_mm, diameter_mm (negative: unknown); `scan` is the name by which `reader: scans` lists a series.

    Raises:
        DataError: as `read_findings`.
    """
    paths = [root / relative for relative in entries(root) if relative.name == EXCLUDED]
    tables = [read_findings(path) for path in paths if path.is_file() and not link_fault(path, root)]
    if not tables:
        return None
    excluded = pd.concat(tables, ignore_index=True)
    return excluded.assign(scan=[public_id(series, "P") for series in excluded["scan"]])
