"""The key numbers of a study and the bounds they are held against, from the tables that the stages wrote."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lungsynth.report.anatomy import MEAN_SHARE
from lungsynth.report.blocks import number
from lungsynth.report.data import Card, Verdict

SENSITIVITY, FALSE_POSITIVES = 0.85, 4.0
ANATOMY = {
    "normals_generated": ("Anatomy of generated lungs", "normals_test", 0.08),
    "normals_selected": ("Anatomy of selected lungs", "normals_generated", 0.02),
    "lesions_refined": ("Anatomy of refined slices", "normals_test", 0.05),
    "released": ("Anatomy of released slices", "normals_test", 0.05),
}
"""Set -> what it is called, the set that it is held against, and how much less of its measures may lie in range."""
DIAMETER_MM, LUNGS, SELECTED_LUNGS, SHIFT_HU = 2.0, 0.5, 0.9, 10.0
ERASED_SHARE, MOVED_SHARE, INVENTED_SHARE = 0.01, 0.03, 0.1


def verdict_of(value: float, low: float | None, high: float | None, bound: float, at_least: bool) -> Verdict:
    """Good where the whole interval is on the right side of `bound`, open where only the value is, else bad.

    A value without an interval is good or bad. NaN is none.
    """
    if not np.isfinite(value):
        return "none"
    worst = low if at_least else high
    worst = value if worst is None or not np.isfinite(worst) else worst
    reached, sure = (value >= bound, worst >= bound) if at_least else (value <= bound, worst <= bound)
    return "good" if sure else "open" if reached else "bad"


def _row(table: pd.DataFrame | None, **wanted: str) -> Any:
    """The first row where the columns have the wanted values, None where there is none."""
    if table is None or not set(wanted) <= set(table.columns):
        return None
    for name, value in wanted.items():
        table = table[table[name] == value]
    return table.iloc[0] if len(table) else None


def detection_card(detection: pd.DataFrame | None) -> Iterator[Card]:
    """Sensitivity on test patients at the operating point."""
    if detection is None or detection.empty:
        return
    row = detection.iloc[0]
    verdict = verdict_of(row.sensitivity, row.sensitivity_low, row.sensitivity_high, SENSITIVITY, True)
    verdict = verdict if row.false_positives_per_scan <= FALSE_POSITIVES else "bad"
    counts = number(row.false_positives_per_scan, 2), number(row.candidates_per_scan, 2)
    note = f"{counts[0]} false positives and {counts[1]} candidates a scan"
    yield Card(
        "Nodules found by the segmenter",
        row.sensitivity,
        "",
        row.sensitivity_low,
        row.sensitivity_high,
        f"{row.nodules} nodules, {row.scans} test scans",
        f"≥ {SENSITIVITY:g} at ≤ {FALSE_POSITIVES:g} false positives",
        verdict,
        note,
    )


def diameter_card(distributions: pd.DataFrame | None) -> Iterator[Card]:
    """Wasserstein distance of the selected nodules' diameters to those of test patients."""

    def of(name: str, reference: str) -> Any:
        return _row(distributions, set=name, reference=reference, measure="diameter_mm")

    row, to_fit, before = (
        of(*pair) for pair in (("selected", "nodules_test"), ("selected", "nodules_fit"), ("generated", "nodules_test"))
    )
    if row is None:
        return
    notes = [] if to_fit is None else [f"{number(to_fit.wasserstein, 2)} mm to the fit bank"]
    notes += [] if before is None else [f"{number(before.wasserstein, 2)} mm before selection"]
    yield Card(
        "Diameters, generated to real",
        row.wasserstein,
        "mm",
        row.wasserstein_low,
        row.wasserstein_high,
        f"{row.n_set} selected, {row.n_reference} real",
        f"≤ {DIAMETER_MM:g} mm",
        verdict_of(row.wasserstein, row.wasserstein_low, row.wasserstein_high, DIAMETER_MM, False),
        "Wasserstein distance" + (f"; {', '.join(notes)}" if notes else ""),
    )


def lungs_card(lungs: pd.DataFrame | None) -> Iterator[Card]:
    """Share of generated normals that show two lungs of a real size, before selection."""
    row, selected = _row(lungs, set="generated"), _row(lungs, set="selected")
    if row is None:
        return
    verdict, note = verdict_of(row["share"], row.low, row.high, LUNGS, True), ""
    if selected is not None:
        note = f"{number(100 * selected['share'])} % of the {selected.n} selected, aim ≥ {100 * SELECTED_LUNGS:g} %"
        verdict = verdict if selected["share"] >= SELECTED_LUNGS else "bad"
    percent = [100 * float(value) for value in (row["share"], row.low, row.high)]
    n = f"{row.n} images, before selection"
    yield Card(
        "Generated lungs of a real size", percent[0], "%", *percent[1:], n, f"≥ {100 * LUNGS:g} %", verdict, note
    )


def anatomy_cards(anatomy: pd.DataFrame | None) -> Iterator[Card]:
    """Mean share of the measures in the range of real CT, held against that of another set."""
    for name, (label, against, less) in ANATOMY.items():
        row, other = (_row(anatomy, set=one, measure=MEAN_SHARE) for one in (name, against))
        if row is None or other is None or pd.isna(row["share"]) or pd.isna(other["share"]):
            continue
        bound = other["share"] - less
        verdict = verdict_of(row["share"], row.share_low, row.share_high, bound, True)
        aim = f"≥ {number(bound, 2)}, {against.replace('_', ' ')} less {less:g}"
        n, note = f"{row.n} slices", f"mean share of measures in the range of real CT; {against.replace('_', ' ')} "
        note += number(other["share"], 2)
        yield Card(label, row["share"], "", row.share_low, row.share_high, n, aim, verdict, note)


def kid_card(differences: pd.DataFrame | None) -> Iterator[Card]:
    """Paired KID difference of refined and unrefined composites."""
    row = _row(differences, first="refined", second="composite", extractor="slices")
    if row is None:
        return
    verdict = "bad" if row.kid_difference >= 0 else "good" if row.high < 0 else "open"
    words = "slice extractor, the same composites before and after"
    yield Card("KID, refined minus composite", row.kid_difference, "", row.low, row.high, words, "below 0", verdict)


def gate_cards(gate: pd.DataFrame | None, judge: pd.DataFrame | None = None) -> Iterator[Card]:
    """Lesions erased and moved, images with an invented one: over all composites, by the judge where there is one."""
    eye = "by the gate's own segmenter" if judge is None else "by a segmenter that the gate does not see through"
    for what, label, bound in (
        ("erased", "Lesions erased", ERASED_SHARE),
        ("moved by refinement", "Lesions moved by refinement", MOVED_SHARE),
        ("with an invented lesion", "Images with an invented lesion", INVENTED_SHARE),
    ):
        row = _row(gate if judge is None else judge, what=what)
        if row is None or pd.isna(row["share"]):
            continue
        verdict, aim = verdict_of(row["share"], row.low, row.high, bound, False), f"≤ {100 * bound:g} %"
        percent = [100 * float(value) for value in (row["share"], row.low, row.high)]
        yield Card(
            label, percent[0], "%", *percent[1:], f"{row.hits} of {row.n} {row.of}, before the gate", aim, verdict, eye
        )


def density_card(shift: Mapping[str, Any] | None) -> Iterator[Card]:
    """Mean change of the lungs' density by refinement, as the gate found it."""
    if shift is None or shift["low"] is None:
        return
    mean, low, high = shift["mean"], shift["low"], shift["high"]
    verdict = verdict_of(abs(mean), None, max(abs(low), abs(high)), SHIFT_HU, False)
    n, aim = f"{shift['n']} composites", f"within ±{SHIFT_HU:g} HU"
    yield Card("Lung density after refinement", mean, "HU", low, high, n, aim, verdict)


def copies_card(scores: pd.DataFrame | None) -> Iterator[Card]:
    """Membership inference on the selected nodules: .5 tells nothing about who was trained on."""
    row = _row(scores, metric="membership", set="selected", reference="nodules_test")
    if row is None or pd.isna(row.value):
        return
    n = f"{row.n_set} nodules"
    note = "how well they tell who was trained on; .5 is not at all"
    inside = row.low <= 0.5 <= row.high if pd.notna(row.low) else abs(row.value - 0.5) < 0.1
    verdict = "good" if inside or row.value < 0.5 else "open" if row.value < 0.6 else "bad"
    yield Card("Membership, selected nodules", row.value, "", row.low, row.high, n, "near .5", verdict, note)
