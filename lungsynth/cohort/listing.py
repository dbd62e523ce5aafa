"""The list of all scans with roles and batches: made from names and headers, before any pixel is read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lungsynth.cohort.base import Reader, ScanRef
from lungsynth.cohort.copies import copies
from lungsynth.cohort.names import Names, hide, printable, token, under_root
from lungsynth.cohort.registry import READERS
from lungsynth.cohort.split import Claim, assign, claims
from lungsynth.study.errors import DataError
from lungsynth.study.stages.cohort import Split

COLUMNS = ("scan", "patient", "role", "batch", "source", "reader", "kind", "series", "files", "extra")
SOURCE_KEYS = ("reader", "role", "roles")


def open_reader(source: Mapping[str, Any], data_root: str | Path, phantom: str | Path | None = None) -> Reader:
    """The reader of one entry of cohort.sources.

    Args:
        source: {reader, path, role or roles, and the reader's own settings}.
        data_root: folder that the source's path is relative to.
        phantom: folder of the phantom cohort, which the reader `phantom` reads.

    Raises:
        StudyError: the path leaves the data root. DataError: the folder is missing.
    """
    kind = READERS.get(source["reader"])
    own = {key: value for key, value in source.items() if key not in SOURCE_KEYS}
    settings = READERS.settings(source["reader"])(**own)
    if source["reader"] == "phantom" and phantom is not None:
        return kind(settings, Path(phantom))
    return kind(settings, under_root(data_root, settings.path, "cohort.sources"))


def list_scans(
    readers: Sequence[Reader], sources: Sequence[Mapping[str, Any]], split: Split, batches: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All scans with role and batch, and what was skipped.

    Pictures that are copies of each other (`copies`; `copy_of` in `extra`) get one role, with all their patients.
    Names of files may name patients: `files` holds tokens (names.token) that `prepare_batch` finds the files by, and
    so do the names of what was skipped, unless the reader says that its names are public.

    Returns:
        The table of COLUMNS, sorted by scan, batches in turn; and a table source, file, reason.

    Raises:
        DataError: a patient in two roles, a scan in two sources, too few patients.
    """
    rows, hidden, found, skipped = [], [], [], []
    looks: dict[str, np.ndarray] = {}
    for index, (reader, source) in enumerate(zip(readers, sources, strict=True)):
        where = f"cohort.sources[{index}] ({source['reader']})"
        refs = reader.list()
        found += claims(refs, [reader.allowed_roles(ref) for ref in refs], source, where)
        looks |= reader.looks(refs)
        origin = {"source": index, "reader": source["reader"]}
        rows += [{**to_row(ref), **origin} for ref in refs]
        hidden += [{**to_row(hide(ref, reader.public_names)), **origin} for ref in refs]
        skipped += [{"source": index, **told} for told in _skipped(reader)]
    _refuse_doubles(rows)
    copied = copies(looks)
    roles = assign(found, split, seed, _sharing(hidden, copied, found))
    hidden.sort(key=lambda row: row["scan"])
    for k, row in enumerate(hidden):
        if row["scan"] in copied:
            row["extra"] = json.dumps(json.loads(row["extra"]) | {"copy_of": copied[row["scan"]]}, sort_keys=True)
        row.update(role=roles[row["patient"]], batch=k % batches)
    unread = pd.DataFrame(skipped, columns=["source", "file", "reason"])
    return pd.DataFrame(hidden, columns=list(COLUMNS)), unread


def _sharing(rows: list[dict[str, Any]], copied: Mapping[str, str], found: list[Claim]) -> list[set[str]]:
    """Groups of patients who have one picture.

    Raises:
        DataError: the sources fix two roles for such a group; names the files of all of them.
    """
    fixed = {claim.patient: claim.fixed for claim in found if claim.fixed}
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["scan"] in copied or row["scan"] in copied.values():
            groups.setdefault(copied.get(row["scan"], row["scan"]), []).append(
                row | {"role": fixed.get(row["patient"])}
            )
    refuse_copies([group for group in groups.values() if len({row["role"] for row in group} - {None}) > 1])
    return [{row["patient"] for row in group} for group in groups.values()]


def refuse_copies(groups: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    """Refuse pictures that are there more than once in different roles, all of them at once.

    groups: rows scan, role and files (tokens) of the copies of each picture.
    """
    if not groups:
        return

    def told(row: Mapping[str, Any]) -> str:
        return f"{json.loads(row['files'])[0]} ({row['role'] or 'no fixed role'}, scan {row['scan']})"

    many = "1 image is" if len(groups) == 1 else f"{len(groups)} images are"
    raise DataError(
        f"cohort: {many} there more than once, in different roles, and one patient would be in both: "
        f"{'; '.join(' = '.join(map(told, group)) for group in groups)}; keep one of each "
        "(python -m lungsynth.cohort.names FOLDER path-... finds the file)"
    )


def _skipped(reader: Reader) -> Iterator[dict[str, str]]:
    """The rows file and reason of what a reader passed over."""
    names = Names(reader.root)
    for file, reason in reader.skipped:
        if reader.public_names:
            yield {"file": printable(file), "reason": printable(reason)}
        else:
            yield {"file": token(file), "reason": printable(names.without_names(reason))}


def to_row(ref: ScanRef) -> dict[str, Any]:
    """A reference as plain values of a table's row."""
    return {
        "scan": ref.scan,
        "patient": ref.patient,
        "kind": ref.kind,
        "series": ref.uid,
        "files": json.dumps([str(path) for path in ref.source_files]),
        "extra": json.dumps(ref.extra, sort_keys=True),
    }


def from_row(row: Mapping[str, Any]) -> ScanRef:
    """The reference that `to_row` wrote."""
    files = tuple(Path(path) for path in json.loads(row["files"]))
    return ScanRef(row["scan"], row["patient"], row["kind"], files, row["series"], json.loads(row["extra"]))


def _refuse_doubles(rows: list[dict[str, Any]]) -> None:
    """One scan name or one series in two places would put a patient into two roles."""
    for key in ("scan", "series"):
        first: dict[str, dict] = {}
        for row in rows:
            if not row[key]:
                continue
            other = first.setdefault(row[key], row)
            if other is not row and (other["kind"] == row["kind"] or other["patient"] != row["patient"]):
                raise DataError(
                    f"the scan {row['scan']} is there twice: patient {other['patient']} in cohort.sources"
                    f"[{other['source']}] and patient {row['patient']} in cohort.sources[{row['source']}]"
                )
