"""annotations.csv: where LUNA16's nodules are; annotations_excluded.csv: what is neither nodule nor healthy."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lungsynth.cohort.names import entries, link_fault, public_id
from lungsynth.sets.findings import read_findings
from lungsynth.study.errors import DataError

EXCLUDED = "annotations_excluded.csv"


class Annotation(NamedTuple):
    """A row: its line in the file, the centre in LPS mm and the diameter; `fault`: what is wrong with it, or empty."""

    line: int
    centre_mm: tuple[float, float, float]
    diameter_mm: float
    fault: str = ""


def read_annotations(path: Path) -> dict[str, list[Annotation]]:
    """Series UID -> its annotations in file order.

    Raises:
        DataError: a column is missing or a value is no number; names the row.
    """
    found: dict[str, list[Annotation]] = {}
    first: dict[tuple, int] = {}
    for line, *row in read_findings(path).itertuples():
        series, x, y, z, diameter = row
        same = first.setdefault(tuple(row), line)
        fault = f"row {line} repeats row {same}" if same != line else ""
        if diameter <= 0:
            fault = f"row {line}, diameter_mm: {diameter:g} is not above 0"
        found.setdefault(series, []).append(Annotation(line, (x, y, z), diameter, fault))
    return found


def of_others(annotations: Mapping[str, Sequence[Annotation]], series: Container[str]) -> str:
    """What to say of rows that are of none of these series; empty where there are none.

    A mistyped UID would make its scan one without nodules.
    """
    lines = sorted(row.line for uid, rows in annotations.items() if uid not in series for row in rows)
    more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
    return f"row {lines[0]}{more}: of a series that is not in the folder" if lines else ""


def read_excluded(root: Path) -> tuple[pd.DataFrame | None, list[tuple[str, str]]]:
    """Findings that count neither way, of every `annotations_excluded.csv` under a folder; None without one.

    Returns:
        scan, x_mm, y_mm, z_mm, diameter_mm (negative: unknown); `scan` is the name by which `reader: scans` lists a
        series. And (relative path, reason) of the tables that cannot be understood.
    """
    tables, faults = [], []
    for relative in entries(root):
        path = root / relative
        if relative.name != EXCLUDED or not path.is_file() or link_fault(path, root):
            continue
        try:
            tables.append(read_findings(path))
        except DataError as error:
            faults.append((str(relative), f"counts for nothing: {str(error).removeprefix(f'{path}: ')}"))
    if not tables:
        return None, faults
    excluded = pd.concat(tables, ignore_index=True)
    return excluded.assign(scan=[public_id(series, "P") for series in excluded["scan"]]), faults
