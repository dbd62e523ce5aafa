"""LUNA16's tables: reference findings, a detector's marks and the list of scans, as the challenge's files have them.

Places are world mm in LPS, as in the files. A series UID stands for a scan.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from lungsynth.sets.tables import Cell, read_users_csv
from lungsynth.study.errors import DataError

PLACE: dict[str, Cell] = {"seriesuid": "text", "coordX": "number", "coordY": "number", "coordZ": "number"}
FINDING: Mapping[str, Cell] = {**PLACE, "diameter_mm": "number"}
MARK: Mapping[str, Cell] = {**PLACE, "probability": "number"}
OUR_NAMES = {"seriesuid": "scan", "coordX": "x_mm", "coordY": "y_mm", "coordZ": "z_mm"}


def read_findings(path: str | Path) -> pd.DataFrame:
    """annotations.csv or annotations_excluded.csv: scan, x_mm, y_mm, z_mm, diameter_mm (negative: unknown).

    The index `line` is the line of the file; rows without a series are left out.

    Raises:
        DataError: the file is missing or no such table; names the line and the column.
    """
    return _placed(path, FINDING)


def read_marks(path: str | Path) -> pd.DataFrame:
    """A detector's marks, seriesuid,coordX,coordY,coordZ,probability: scan, x_mm, y_mm, z_mm, probability.

    A first row alone is a detector that found nothing.

    Raises:
        DataError: as `read_findings`.
    """
    return _placed(path, MARK)


def read_series(path: str | Path) -> list[str]:
    """seriesuids.csv: one series UID a line, without names of columns (a first line `seriesuid` is passed over).

    Raises:
        DataError: the file is missing or empty, a line has several cells, a series is there twice.
    """
    try:
        lines = [line.strip() for line in Path(path).read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        raise DataError(f"{path}: is no UTF-8 text; save it as CSV in UTF-8") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    first: dict[str, int] = {}
    for line, series in enumerate(lines, start=1):
        if not series or (line == 1 and series == "seriesuid"):
            continue
        if "," in series or ";" in series or "\t" in series:
            raise DataError(f"{path}: row {line} has several cells; it needs one series UID a line")
        if series in first:
            raise DataError(f"{path}: row {line}: the series {series} is there twice, also in row {first[series]}")
        first[series] = line
    if not first:
        raise DataError(f"{path}: is empty; it needs one series UID a line")
    return list(first)


def _placed(path: str | Path, columns: Mapping[str, Cell]) -> pd.DataFrame:
    table = read_users_csv(path, columns).rename(columns=OUR_NAMES)
    return table[table["scan"] != ""]
