"""Tables: .csv for people, .parquet where large; the same rows give the same bytes."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from lungsynth.ct.files import whole, write_text
from lungsynth.study.errors import DataError

IDENTIFIERS = ("id", "patient", "scan", "source", "texture", "series")
MISSING = ["", "nan", "NaN", "NA", "null"]


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
        texts = {name: str for name in header if name in IDENTIFIERS}
        # Per column, so that a patient called NA or 007 keeps his name.
        missing = {name: MISSING for name in header if name not in texts}
        return pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=missing, encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a table ({error})") from None


def write_parquet(path: str | Path, table: pd.DataFrame) -> None:
    """Write a large table; zstd, no index."""
    with whole(path) as draft:
        table.to_parquet(draft, index=False, compression="zstd")


def read_parquet(path: str | Path) -> pd.DataFrame:
    """Read a large table.

    Raises:
        DataError: the file is missing or no such table.
    """
    try:
        return pd.read_parquet(path)
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
