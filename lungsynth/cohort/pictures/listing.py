"""The list of all pictures that can be used, each with its class, its patient and its role; and why others cannot."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lungsynth.cohort.base import safe_id, short_hash
from lungsynth.cohort.copies import copies, thumbnail
from lungsynth.cohort.names import printable, quoted, unquoted
from lungsynth.cohort.pictures.sources import Source, open_source
from lungsynth.cohort.split import Claim, assign, leaders
from lungsynth.sets.seen import PICTURE_DIGITS
from lungsynth.study.errors import DataError
from lungsynth.study.stages.cohort import Role, Split
from lungsynth.study.stages.pictures import Pictures, Shares

COLUMNS = ("id", "file", "class", "patient", "role", "width", "height", "sha256")
ROLES: tuple[Role, ...] = ("fit", "tune", "test")
SLUG, DIGITS = 32, 16
"""Letters of an id: of the class at most, and of the hash of the file's name."""
LARGEST_GROWTH = 4
"""A picture is made so many times larger at most; what is smaller shows nothing at the asked size."""
LEAST_TO_LEARN = 2
"""Pictures of a class that a generator can learn from."""


@dataclass(frozen=True)
class Listed:
    """What was found.

    Attributes:
        table: COLUMNS, sorted by id; file and class are `names.quoted`; width and height in px, upright; sha256 of the
            upright pixels.
        refused: file, reason of all else, sorted by file.
    """

    table: pd.DataFrame
    refused: pd.DataFrame


@dataclass
class _Refusals:
    """Files and reasons; the first ends the run where the study says so."""

    root: Path
    stop: bool
    rows: list[dict[str, str]] = field(default_factory=list)

    def add(self, file: str, reason: str) -> None:
        if self.stop:
            raise DataError(f"{self.root}: {quoted(file)} {printable(reason)} (pictures.quarantine: stop)")
        self.rows.append({"file": quoted(file), "reason": printable(reason)})


def list_pictures(root: Path, settings: Pictures, seed: int, bar: Callable[[Iterable], Iterable] = iter) -> Listed:
    """Look at every picture under a folder or in a zip, and deal out the roles.

    Exact doubles are refused: within a class all but the first by id, in two classes all of them, since the class is
    unknown. Pictures that look alike (`copies`) stay, in one role with all their patients.

    Args:
        bar: shows how far it is.

    Raises:
        DataError: no picture, a named class without any, a class with too few; with quarantine: stop whatever would
            be refused; a zip that cannot be trusted.
    """
    refusals = _Refusals(root, settings.quarantine == "stop")
    with open_source(root, settings.classes) as source:
        for file, reason in source.faults:
            refusals.add(file, reason)
        table, looks = _look(source, settings, refusals, bar)
    table, sharing = _without_doubles(table, refusals)
    _check_found(table, settings.classes, refusals)
    kept = {name: looks[name] for name in table["id"]}
    role = deal(table, settings.split, seed, [*sharing, *_alike(table, kept)])
    table = table.assign(role=table["patient"].map(role))[list(COLUMNS)].reset_index(drop=True)
    _check_learnable(table)
    refused = pd.DataFrame(refusals.rows, columns=["file", "reason"]).sort_values("file", kind="stable")
    return Listed(table, refused.reset_index(drop=True))


def refuse_seen(table: pd.DataFrame, recipes: Mapping[str, Mapping[str, Any]]) -> None:
    """No picture to test on may be one that a shipped network of this study has learnt from.

    By its pixels: files of strangers are called alike, and so are their patients.

    Args:
        table: of `Listed`; recipes: of the networks that the study starts from, by what they are called.

    Raises:
        DataError: names the first and the network.
    """
    test = table[table["role"] == "test"]
    for name, recipe in recipes.items():
        seen = test[test["sha256"].str[:PICTURE_DIGITS].isin(recipe.get("pictures", ()))]
        if len(seen):
            raise DataError(
                f"pictures: {seen['file'].iloc[0]} is for testing here, and {name} has learnt from it "
                f"({len(seen)} such); take these out of the folder, or start from other weights"
            )


def _look(
    source: Source, settings: Pictures, refusals: _Refusals, bar: Callable[[Iterable], Iterable]
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Rows of the pictures that can be used but for doubles, sorted by id, and their thumbnails by id."""
    rows, looks = [], {}
    for file in bar(sorted(source.classes)):
        try:
            values = read_pixels(source, file, settings)
            row = _row(source, file, values, settings)
        except DataError as error:
            refusals.add(file, str(error))
            continue
        rows.append(row)
        looks[row["id"]] = thumbnail(values if values.ndim == 2 else values.mean(2))
    table = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("id")
    source.check(table)
    large = [_is_large(row, settings, refusals) for row in table.to_dict("records")]
    return table[np.array(large, bool)], looks


def read_pixels(source: Source, file: str, settings: Pictures) -> np.ndarray:
    """A picture's upright pixels of the asked depth and colour: uint8 or uint16 [h, w], or uint8 [h, w, 3].

    Raises:
        DataError: why not, without the file's name.
    """
    values, bits = source.read(file, settings.colour)
    if bits != settings.bits:
        raise DataError(f"has grey levels of {bits} bits, and pictures.bits is {settings.bits}; the two are not mixed")
    return values


def digest(values: np.ndarray) -> str:
    """SHA-256 of pixels, their type and their shape."""
    told = f"{values.dtype} {values.shape}".encode()
    return hashlib.sha256(told + np.ascontiguousarray(values).tobytes()).hexdigest()


def picture_id(group: str, file: str) -> str:
    """What a picture is called: safe as a file's name, and of its own names it holds the class alone."""
    return f"{safe_id(group)[:SLUG]}-{short_hash(file, DIGITS)}"


def _row(source: Source, file: str, values: np.ndarray, settings: Pictures) -> dict[str, Any]:
    """A row of COLUMNS, still without a role."""
    group = source.classes[file]
    return {
        "id": picture_id(group, file),
        "file": quoted(file),
        "class": group,
        "patient": f"P-{short_hash(source.patient(file, settings.patient))}",
        "role": "",
        "width": values.shape[1],
        "height": values.shape[0],
        "sha256": digest(values),
    }


def _is_large(row: dict[str, Any], settings: Pictures, refusals: _Refusals) -> bool:
    side = (min if settings.fit == "crop" else max)(row["width"], row["height"])
    if side * LARGEST_GROWTH >= settings.size_px:
        return True
    reason = f"is {row['width']} x {row['height']} px, too small for size_px {settings.size_px}"
    refusals.add(unquoted(row["file"]), reason)
    return False


def _without_doubles(table: pd.DataFrame, refusals: _Refusals) -> tuple[pd.DataFrame, list[set[str]]]:
    """The table, sorted by id, without exact doubles; and the groups of patients who have one picture."""
    dropped, sharing = [], []
    for _, same in table[table.duplicated("sha256", keep=False)].groupby("sha256"):
        sharing.append(set(same["patient"]))
        first, clash = same.iloc[0], same["class"].nunique() > 1
        for index, row in same.iterrows():
            if clash:
                other = same[same["class"] != row["class"]].iloc[0]
                why = f"is the same picture as {other['file']} of another class; which class is right is unknown"
            elif row["id"] == first["id"]:
                continue
            else:
                why = f"is a double of {first['file']}"
            refusals.add(unquoted(row["file"]), why)
            dropped.append(index)
    return table.drop(index=dropped), sharing


def _alike(table: pd.DataFrame, looks: Mapping[str, np.ndarray]) -> list[set[str]]:
    """Groups of patients whose pictures look alike."""
    patient = dict(zip(table["id"], table["patient"], strict=True))
    return [{patient[name], patient[first]} for name, first in copies(looks).items()]


def deal(table: pd.DataFrame, shares: Shares, seed: int, together: Sequence[Collection[str]] = ()) -> dict[str, Role]:
    """Patient -> role, in these shares of the patients of each class; one role each, whatever classes he is in.

    The rarest class is dealt first, and who has a role keeps it in the next.

    Args:
        table: rows class, patient.
        together: groups of patients who must have one role; each counts as one patient.

    Raises:
        DataError: a class of fewer patients than there are roles.
    """
    leader = {patient: patient for patient in table["patient"]} | leaders(together)
    people = {group: set(rows["patient"].map(leader)) for group, rows in table.groupby("class")}
    split = Split(fit=shares.fit, tune=shares.tune, domain=0, test=shares.test)
    roles: dict[str, Role] = {}
    for group in sorted(people, key=lambda group: (len(people[group]), group)):
        if len(people[group]) < len(ROLES):
            raise DataError(_too_few(table, group, len(people[group])))
        claims = [Claim(patient, roles.get(patient), ROLES, group) for patient in people[group]]
        try:
            roles |= assign(claims, split, seed)
        except DataError:  # who is left of the class cannot fill the roles that the others leave open
            raise DataError(_too_few(table, group, len(people[group]))) from None
    return {patient: roles[leader[patient]] for patient in table["patient"].unique()}


def _too_few(table: pd.DataFrame, group: str, people: int) -> str:
    pictures = int((table["class"] == group).sum())
    return (
        f"class {group}: {_count(pictures, 'picture')} of {_count(people, 'patient')} (whose pictures look alike count "
        f"as one), too few for one each in {', '.join(ROLES)}; add pictures, or name the other classes in "
        "pictures.classes"
    )


def _check_found(table: pd.DataFrame, wanted: Sequence[str], refusals: _Refusals) -> None:
    """Every named class must have a picture, and there must be one at all."""
    for group in map(quoted, wanted):
        if not (table["class"] == group).any():
            first = [row for row in refusals.rows if row["file"].startswith(f"{group}/")] or refusals.rows
            raise DataError(f"{refusals.root}: class {group} of pictures.classes has no picture to use{_told(first)}")
    if table.empty:
        raise DataError(f"{refusals.root}: has no picture to use{_told(refusals.rows)}; one sub-folder a class is read")


def _check_learnable(table: pd.DataFrame) -> None:
    for group, rows in table.groupby("class"):
        n = int((rows["role"] == "fit").sum())
        if n < LEAST_TO_LEARN:
            raise DataError(
                f"class {group}: {_count(n, 'picture')} to learn from ({len(rows)} in all), where {LEAST_TO_LEARN} are "
                "the least; add pictures, or name the other classes in pictures.classes"
            )


def _told(rows: Sequence[dict[str, str]]) -> str:
    """The first of what was refused, for a message."""
    return f" ({len(rows)} refused; {rows[0]['file']} {rows[0]['reason']})" if rows else ""


def _count(n: int, what: str) -> str:
    return f"1 {what}" if n == 1 else f"{n} {what}s"
