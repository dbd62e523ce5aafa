"""annotations.csv: where LUNA16's nodules are."""

import csv
import io
import math
from pathlib import Path
from typing import NamedTuple

from lungsynth.study.errors import DataError

COLUMNS = ("seriesuid", "coordX", "coordY", "coordZ", "diameter_mm")


class Annotation(NamedTuple):
    """A row: its line in the file, the centre in LPS mm and the diameter."""

    line: int
    centre_mm: tuple[float, float, float]
    diameter_mm: float


def read_annotations(path: Path) -> dict[str, list[Annotation]]:
    """Series UID -> its annotations in file order. A BOM and Windows line ends are tolerated.

    Raises:
        DataError: a column is missing, a value is no number or a diameter is not above 0; names the row.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a table ({error})") from None
    rows = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or [])]
    if missing:
        raise DataError(f"{path}: column {missing[0]} is missing; it needs {', '.join(COLUMNS)}")
    found: dict[str, list[Annotation]] = {}
    for row in rows:
        if not (row["seriesuid"] or "").strip():
            continue
        found.setdefault(row["seriesuid"].strip(), []).append(_annotation(path, rows.line_num, row))
    return found


def _annotation(path: Path, line: int, row: dict[str, str]) -> Annotation:
    values = []
    for name in COLUMNS[1:]:
        try:
            value = float(row[name])
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise DataError(f"{path}: row {line}, {name}: {row[name]!r} is not a number")
        values.append(value)
    if values[3] <= 0:
        raise DataError(f"{path}: row {line}, diameter_mm: {values[3]:g} is not above 0")
    return Annotation(line, tuple(values[:3]), values[3])
