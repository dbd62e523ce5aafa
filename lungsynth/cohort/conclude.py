"""The cohort that a study stands on: verdicts of all batches, roles, quarantine, and whether enough is left."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd

from lungsynth.cohort import checks
from lungsynth.cohort.base import ROLES
from lungsynth.cohort.listing import refuse_copies
from lungsynth.sets.tables import concatenate, read_csv
from lungsynth.study.errors import DataError
from lungsynth.study.stages.cohort import Split

TEXTS = ("scan", "patient", "source", "class", "copy_of", "axes", "kernel", "pixels", "reason", "texture", "note")

NO_RECIPES: Mapping[str, Mapping[str, Any]] = {}
REASONS = 3
"""So many reasons are told where too few patients are left: what is written of a run that stops is not kept."""


class Cohort(NamedTuple):
    """Tables: `scans` usable scans with role and batch, `marks` theirs, `quarantine` the rest, `every` all scans."""

    scans: pd.DataFrame
    marks: pd.DataFrame
    quarantine: pd.DataFrame
    every: pd.DataFrame


def conclude(
    listed: pd.DataFrame,
    unread: pd.DataFrame,
    folders: Sequence[str | Path],
    split: Split,
    min_patients: int,
    quarantine: Literal["report", "stop"],
    recipes: Mapping[str, Mapping[str, Any]] = NO_RECIPES,
    seen: Literal["stop", "leave_out"] = "stop",
) -> Cohort:
    """Put the batches together and judge the whole.

    Args:
        listed, unread: the tables of `listing.list_scans`.
        folders: of `prepare.prepare_batch`, one a batch.
        split: roles that need a patient are those with a count above 0.
        min_patients: usable patients, at least.
        quarantine: whether a bad scan stops the run.
        recipes: of the shipped networks that the study starts from, by what they are called (`models.called`).
        seen: whether a test patient whom one of them has learnt from stops the run or is quarantined.

    Raises:
        DataError: one image under two patients of different roles; too few patients, or a role without one; a bad
            scan, or one that has been learnt from, where these stop the run.
    """
    scans, marks = _stacked(folders, "scans.csv"), _stacked(folders, "marks.csv")
    keys = listed[["scan", "role", "batch", "files"]].astype({"scan": str})
    every = scans.merge(keys, on="scan", how="left").sort_values("scan", ignore_index=True)
    every = _without_copies(every).drop(columns="files")
    if seen == "leave_out":
        for k, name in _learnt_from(every[every.verdict == checks.OK], recipes).items():
            reason = f"{name} has learnt from it: what it finds there is no test"
            every.loc[k, ["verdict", "reason"]] = [checks.BAD, reason]
    good = every[every.verdict == checks.OK].reset_index(drop=True)
    bad = _quarantined(every, unread)
    if quarantine == "stop" and len(bad):
        raise DataError(
            f"cohort: {len(bad)} scans are bad, the first is {bad['scan'][0]}: {bad.reason[0]}; mend or remove "
            "them, or set cohort.quarantine to report"
        )
    if seen == "stop":
        refuse_seen(good, recipes)
    _check_enough(good, bad, split, min_patients)
    return Cohort(good, marks[marks.scan.isin(good.scan)].reset_index(drop=True), bad, every)


def refuse_seen(scans: pd.DataFrame, recipes: Mapping[str, Mapping[str, Any]]) -> None:
    """No test patient may be one that a shipped network of this study has learnt from.

    Args:
        scans: usable scans with patient, role and the digest of their pixels.
        recipes: of the shipped networks that the study starts from, by what they are called (`models.called`).

    Raises:
        DataError: names the first patient and the network, and says how many there are.
    """
    found = _learnt_from(scans, recipes)
    if not found:
        return
    first, people = next(iter(found)), scans.patient[list(found)].nunique()
    more = f" ({people - 1} more are in the same place)" if people > 1 else ""
    raise DataError(
        f"cohort: {scans.patient[first]} is a test patient here, and {found[first]} has learnt from it{more}; give it "
        "another role, start from other weights, or set cohort.seen to leave_out"
    )


def _learnt_from(scans: pd.DataFrame, recipes: Mapping[str, Mapping[str, Any]]) -> dict[int, str]:
    """Index of test patients' scans -> a network that has learnt from the patient; arguments as of `refuse_seen`."""
    found = {}
    for name, recipe in recipes.items():
        people = {patient for some in recipe.get("patients", {}).values() for patient in some}
        seen = scans.patient.isin(people) | scans.pixels.isin(recipe.get("scans", ()))
        for k in scans.index[seen & (scans.role == "test")]:
            found.setdefault(k, name)
    return dict(sorted(found.items()))


def _stacked(folders: Sequence[str | Path], name: str) -> pd.DataFrame:
    """The table `name` of all batches; empty text stays text."""
    stacked = concatenate(read_csv(Path(folder) / name) for folder in folders)
    texts = [column for column in TEXTS if column in stacked]
    return stacked.astype(dict.fromkeys(texts, object)).fillna(dict.fromkeys(texts, ""))


def _without_copies(every: pd.DataFrame) -> pd.DataFrame:
    """One image twice: an error between roles, else all but the first are quarantined."""
    usable = every[every.verdict == checks.OK]
    groups = [same for _, same in usable.groupby("pixels", sort=True) if len(same) > 1]
    groups.sort(key=lambda same: same.index[0])
    refuse_copies([same.to_dict("records") for same in groups if same.role.nunique() > 1])
    for same in groups:
        every.loc[same.index[1:], ["verdict", "reason"]] = [checks.BAD, f"the same image as scan {same.scan.iloc[0]}"]
    return every


def _quarantined(every: pd.DataFrame, unread: pd.DataFrame) -> pd.DataFrame:
    """Table scan, patient, source, role, reason: bad scans, then files that never became one."""
    bad = every[every.verdict != checks.OK][["scan", "patient", "source", "role", "reason"]]
    files = unread.rename(columns={"file": "scan"}).assign(patient="", role="")[list(bad.columns)]
    return concatenate([bad, files])


def _check_enough(good: pd.DataFrame, bad: pd.DataFrame, split: Split, min_patients: int) -> None:
    people = good.patient.nunique()
    reasons = list(dict.fromkeys(bad.reason))
    more = " ... (all in cohort/scans/*/scans.csv and cohort/unread.csv)" if len(reasons) > REASONS else ""
    lost = f"; {len(bad)} are in quarantine, the first for: {'; '.join(reasons[:REASONS])}{more}" if len(bad) else ""
    if people < min_patients:
        word = "patient" if people == 1 else "patients"
        raise DataError(f"cohort: {people} usable {word}, cohort.min_patients is {min_patients}{lost}")
    for role in ROLES:
        if getattr(split, role) and not (good.role == role).any():
            raise DataError(f"cohort: no usable patient for the role {role}{lost}")
