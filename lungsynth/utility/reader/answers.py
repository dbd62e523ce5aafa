"""What readers answered, checked against the key of their test."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lungsynth.ct.files import sha256
from lungsynth.sets.tables import concatenate, read_users_csv
from lungsynth.study.errors import DataError, nearest
from lungsynth.utility.reader.blind import GENERATED, KEY_COLUMNS, QUESTION, REAL

COLUMNS = {
    "test": "text",
    "id": "text",
    "answer": "text",
    "confidence": "number or empty",
    "seconds": "number or empty",
    "reader": "text",
}
NOTHING = float("nan")


def read_key(path: Path, page: Path) -> pd.DataFrame:
    """The sealed key (KEY_COLUMNS).

    Raises:
        DataError: it is no such table, or belongs to another page.
    """
    key = read_users_csv(path, dict.fromkeys(KEY_COLUMNS, "text"))
    if key.empty or set(key["page_sha256"]) != {sha256(page)}:
        raise DataError(
            f"{path}: does not belong to {page}, one of them was changed; make both again: snakemake reader"
        )
    return key


def read_answers(paths: Sequence[Path], key: pd.DataFrame) -> pd.DataFrame:
    """All answers of all readers to the questions of the key's test.

    Returns:
        One row an answer: reader, id, answer, truth, confidence, seconds; pictures left open are no rows.

    Raises:
        DataError: a line that cannot be right, named by file and row, or nothing was answered.
    """
    questions = key[key["part"] == QUESTION].set_index("id")["truth"]
    given = concatenate(_read_file(Path(path), str(key["test"].iloc[0]), questions) for path in paths)
    double = given[given.duplicated(["reader", "id"])]
    for row in double.itertuples():
        first = given[(given["reader"] == row.reader) & (given["id"] == row.id)].iloc[0]
        also = "" if first["file"] == row.file else f", also in {first['file']}"
        raise DataError(
            f"{row.file}: row {row.line}, id: {row.reader} answers {row.id} twice{also}; leave one of them out"
        )
    given = given[given["answer"] != ""]
    if given.empty:
        raise DataError(f"{paths[0]}: answers no picture; a score needs one answer at least")
    truth = given["id"].map(questions)
    return given.assign(truth=truth).drop(columns=["test", "file", "line"]).reset_index(drop=True)


def _read_file(path: Path, test: str, questions: pd.Series) -> pd.DataFrame:
    table = read_users_csv(path, COLUMNS, optional={"confidence": NOTHING, "seconds": NOTHING})
    for row in table.itertuples():
        where = f"{path}: row {row.Index}"
        if row.test != test:
            raise DataError(f"{where}, test: {row.test!r} is another test; the key is that of {test}")
        if not row.reader:
            raise DataError(f"{where}, reader: is empty; every answer needs its reader's name")
        if row.id not in questions.index:
            raise DataError(f"{where}, id: the test asks no {row.id!r}{_hint(row.id, questions)}")
        if row.answer not in (REAL, GENERATED, ""):
            raise DataError(f"{where}, answer: {row.answer!r} is neither {REAL} nor {GENERATED}, nor empty")
        if row.confidence == row.confidence and row.confidence not in range(1, 6):
            raise DataError(f"{where}, confidence: {row.confidence:g} is none of 1 to 5")
    return table.assign(file=str(path), line=table.index)


def _hint(name: str, questions: pd.Series) -> str:
    ids = list(questions.index)
    return nearest(name, ids) if len(ids) < 10 else f"; its ids are {ids[0]} to {ids[-1]}"
