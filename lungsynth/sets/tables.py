"""Tables: .csv for people, .parquet where large; the same rows give the same bytes."""

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from lungsynth.ct.files import write_bytes, write_text
from lungsynth.study.errors import DataError

IDENTIFIERS = ("id", "patient", "scan", "source", "texture", "series", "class", "file")
LABEL = "label"
"""The name of a class where rows are images, which have an `id`; elsewhere a component's number in a mask."""
Cell = Literal["text", "number", "number or empty", "whole number", "flag"]
FLAGS = {"0": 0, "1": 1, "false": 0, "true": 1}
ROW_GROUP = 65536
MISSING = ["", "nan", "NaN", "NA", "null"]


def concatenate(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Several tables of equal columns as one; one without rows has no types of its own and would spoil the others'."""
    tables = list(tables)
    return pd.concat([one for one in tables if len(one)] or tables[:1], ignore_index=True)


def counts_by(table: pd.DataFrame, *columns: str) -> dict[str, int]:
    """How many rows hold each combination of the columns' values, which are joined by a slash; for JSON."""
    return {"/".join(map(str, key)): int(count) for key, count in table.groupby(list(columns)).size().items()}


def to_csv(table: pd.DataFrame) -> str:
    """CSV text with shortest exact floats of 9 digits and Unix line ends."""
    return table.to_csv(index=False, float_format="%.9g", lineterminator="\n")


def write_csv(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table for people."""
    write_text(path, to_csv(table))


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a table; identifiers stay text, empty text stays empty (a BOM is tolerated).

    Raises:
        DataError: the file is missing or no table.
    """
    try:
        header = pd.read_csv(path, nrows=0, encoding="utf-8-sig").columns
        texts = {name: str for name in header if name in IDENTIFIERS or (name == LABEL and "id" in header)}
        # Per column, so that a patient called NA or 007 keeps his name.
        missing = {name: MISSING for name in header if name not in texts}
        return pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=missing, encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a table ({error})") from None


def read_users_csv(
    path: str | Path, columns: Mapping[str, Cell], optional: Mapping[str, str | float | int] | None = None
) -> pd.DataFrame:
    """Read a table that a person or another program made; a BOM, Windows line ends and blanks round cells do no harm.

    Args:
        columns: the columns that are needed and what their cells hold; others are passed over.
        optional: those of them that may be missing, and what stands in every row then.

    Returns:
        These columns; text stays as it is, an empty number is NaN, a flag (0, 1, true, false) is 0 or 1. The index
        `line` is the line of the file. Lines without any cell are left out.

    Raises:
        DataError: another separator, a missing or double column, a line of another length, a cell that is no number;
            names the file, the line and the column.
    """
    path = Path(path)
    optional = optional or {}
    lines = _cells(path)
    header = next(lines, (0, []))[1]
    if not header:
        raise DataError(f"{path}: is empty; it needs a first row with the names of its columns")
    required = [name for name in columns if name not in optional]
    absent = [name for name in required if name not in header]
    if absent:
        raise DataError(f"{path}: column {absent[0]} is missing{_hint(header)}; it needs {', '.join(required)}")
    double = [name for name in columns if header.count(name) > 1]
    if double:
        raise DataError(f"{path}: column {double[0]} is there twice")
    # A million rows are kept as columns of text: as many lists would keep the garbage collector busy.
    index: list[int] = []
    texts: dict[str, list[str]] = {name: [] for name in columns if name in header}
    places = [(texts[name], header.index(name)) for name in texts]
    for line, cells in lines:
        if len(cells) != len(header):
            raise DataError(f"{path}: row {line} has {len(cells)} cells where the first row has {len(header)}")
        index.append(line)
        for column, at in places:
            column.append(cells[at])
    found = {
        name: _column(texts[name], kind, index, path, name) if name in texts else [optional[name]] * len(index)
        for name, kind in columns.items()
    }
    return pd.DataFrame(found, index=pd.Index(index, name="line"), columns=list(columns))


def _cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of every row that has any, the names of the columns first."""
    try:
        rows = csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""), strict=True)
        for row in rows:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield rows.line_num, cells
    except UnicodeDecodeError:
        raise DataError(f"{path}: is no UTF-8 text; save it as CSV in UTF-8") from None
    except (OSError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a table ({error})") from None


def _column(texts: list[str], kind: Cell, lines: list[int], path: Path, name: str) -> list[str | float | int]:
    """The values of one column; numbers are read all at once, and one by one only to name the wrong one."""
    if kind == "text":
        return texts
    if kind == "number":
        try:
            numbers = [float(text) for text in texts]
        except ValueError:
            numbers = [math.nan]
        if all(map(math.isfinite, numbers)):
            return numbers
    return [_value(text, kind, f"{path}: row {line}, {name}") for line, text in zip(lines, texts, strict=True)]


def _hint(header: Sequence[str]) -> str:
    """A word on the separator, where one cell of the first row looks like several."""
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and separator in header[0]:
            return f", since the columns are separated by {name} and not by commas; save it with commas"
    return ""


def _value(text: str, kind: Cell, where: str) -> str | float | int:
    if kind == "text":
        return text
    if kind == "flag":
        if text.lower() not in FLAGS:
            raise DataError(f"{where}: {text!r} is none of 0, 1, true, false")
        return FLAGS[text.lower()]
    if kind == "number or empty" and text in MISSING:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{where}: {text!r} is not a number")
    if kind == "whole number" and number != int(number):
        raise DataError(f"{where}: {text!r} is not a whole number")
    return int(number) if kind == "whole number" else number


def write_parquet(path: str | Path, table: pd.DataFrame) -> None:
    """Write a large table; zstd, no index, in groups of rows that a reader of a few rows can pass over."""
    write_bytes(path, table.to_parquet(index=False, compression="zstd", row_group_size=ROW_GROUP))


def read_parquet(path: str | Path, only: Mapping[str, Sequence[int]] | None = None) -> pd.DataFrame:
    """Read a large table.

    Args:
        only: column -> the whole numbers wanted there; other rows never come into memory all at once. Their order is
            the file's.

    Raises:
        DataError: the file is missing or no such table.
    """
    try:
        return pd.read_parquet(path, filters=_filters(only or {}) or None)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a table ({error})") from None


def _filters(only: Mapping[str, Sequence[int]]) -> list[tuple]:
    """Bounds beside the values themselves: by them groups of rows are passed over unread."""
    wanted = {name: sorted({int(value) for value in values}) for name, values in only.items()}
    return [
        term
        for name, values in wanted.items()
        for term in ((name, ">=", min(values, default=0)), (name, "<=", max(values, default=0)), (name, "in", values))
    ]


def count_rows(path: str | Path) -> int:
    """Rows of a large table, by its footer alone.

    Raises:
        DataError: the file is missing or no such table.
    """
    from pyarrow import parquet

    try:
        return parquet.read_metadata(path).num_rows
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a table ({error})") from None


def to_json(value: Any) -> str:
    """Canonical JSON text: sorted keys, two spaces, no NaN."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def write_json(path: str | Path, value: Any) -> None:
    """Write plain values as canonical JSON."""
    write_text(path, to_json(value))


def read_json(path: str | Path) -> Any:
    """Read JSON.

    Raises:
        DataError: the file is missing or no JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error})") from None
