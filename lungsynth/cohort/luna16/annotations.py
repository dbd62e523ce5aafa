"""annotations.csv: where LUNA16's nodules are."""

from pathlib import Path
from typing import NamedTuple

from lungsynth.sets.findings import read_findings
from lungsynth.study.errors import DataError


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
