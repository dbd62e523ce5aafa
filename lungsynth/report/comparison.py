"""The page of a comparison: scores with spread and floor, what each kind spent, pictures, the paper's claims."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lungsynth.report import charts, contact
from lungsynth.report.blocks import Chart, number, table_of
from lungsynth.report.data import Pictures
from lungsynth.report.figures import View
from lungsynth.report.page import rendered
from lungsynth.sets.bank import ImageSet

METRICS = {
    "kid": "KID",
    "fid": "FID",
    "inception_score": "inception score",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "authenticity": "authenticity",
    "membership": "membership",
    "in_range": "measures in the range of real CT",
}
LEAD = (
    "Each is shown the same number of images of the same patients, none starts from shipped weights, and "
    "learning rates were searched for all alike. What the study itself makes stands beside them as it is."
)
LEAD_OF_VARIANTS = (
    "Each run is shown the same number of images, and all else but what its name states is the study's own; a run by "
    "transfer starts from the weights that the settings name."
)
WORDS = (
    "Mean over runs ± their standard deviation, and in brackets what real images score (the floor). Lower is better "
    "for KID and FID, higher for the others but membership, where .5 is chance; authenticity is held against the floor."
)
LEGEND = (
    "Images of test patients are the reference, those learnt from that of authenticity and membership. Scores of "
    "single runs with their 95 % intervals and n stand in the table of scores beside this page."
)
APART = (
    "Who is ahead: differences of KID, with the same draws of the reference's patients for every row "
    "({images} images of {patients} patients). With fewer than ten patients an interval is rough."
)
LEAST_PATIENTS = 5
"""Of n < 5, an interval as wide as their own values lie apart would hold the truth in 1 - 2^(1 - n): under .9."""
BUDGET = "As many images for each; steps, parameters and time follow from the kind."
OF_TWO_STAGES = (
    " Of the two stages from nothing each network is shown so many, at the study's own rates, which are not searched, "
    "and the refiner no more than the study's; images, parameters and time are sums over the networks."
)
SHEETS = {"nodules": (16, 2), "lungs": (6, 2), **dict.fromkeys(("pictures", "sizes", "sweep"), (8, 2))}
"""Images a row, and rows."""


SIZES_WORDS = (
    "Mean over runs with their standard deviation. Smaller parts lie in larger ones. A line that is flat says enough."
)
TITLES = {
    "nodules": "Generators of nodules, compared",
    "lungs": "Ways to make whole slices with nodules, compared",
    "pictures": "Generators of pictures, compared",
    "sizes": "How many real pictures it takes",
    "sweep": "Settings of the generator, compared",
}


def page(
    name: str,
    kinds: pd.DataFrame,
    real: ImageSet,
    images: Mapping[str, ImageSet],
    contenders: Sequence[Mapping[str, Any]],
    seconds: Mapping[str, float],
    rates: Mapping[str, Mapping[str, Any]],
    claims: pd.DataFrame,
    apart: pd.DataFrame | None = None,
) -> str:
    """One HTML text.

    Args:
        kinds: one row a kind (`lungsynth.compare.table.of_kinds`); claims: the paper's beside ours.
        real: test patients' images.
        images: of each run; contenders: its facts; seconds: its wall time.
        rates: by kind, the factor that was chosen and what each of those tried scored.
        apart: differences of KID to what `second` names, one row a kind (first, kid_difference, low, high); None where
            nothing is held against one of the rows.
    """
    first = {one["kind"]: one["run"] for one in reversed(contenders)}
    shown = {"real": real, **{kind: images[first[kind]] for kind in kinds["kind"]}}
    return rendered(
        "comparison.html.j2",
        title=TITLES[name],
        lead=LEAD_OF_VARIANTS if name in ("sizes", "sweep") else LEAD,
        words=WORDS,
        legend=LEGEND,
        apart=[] if apart is None else _apart(apart, real),
        scores=table_of(_scores(kinds)),
        budget_words=BUDGET + (OF_TWO_STAGES if name == "lungs" else ""),
        budget=table_of(_budget(kinds, contenders, seconds)),
        notes=_notes(kinds, rates, contenders),
        views={kind: _sheet(one, kind, SHEETS[name]) for kind, one in shown.items() if len(one)},
        claims=table_of(claims),
        figure=_by_count(kinds) if name == "sizes" else None,
    )


STARTS = {"": ("from nothing", "generated"), "transfer": ("by transfer", "refined")}


def _by_count(kinds: pd.DataFrame) -> Chart | None:
    """Scores over the number of real pictures, of kinds that are called sizeCOUNT or sizeCOUNT.transfer."""
    parts = kinds["kind"].str.extract(r"^size(\d+)\.?(.*)$")
    table = kinds.assign(count=parts[0].astype(int), start=parts[1])
    if "kid" not in table or not table["kid"].notna().any():
        return None
    legend = [(css, words, "") for start, (words, css) in STARTS.items() if start in set(table["start"])]
    return Chart(charts.by_count(table), "How many real pictures it takes", SIZES_WORDS, legend)


def _scores(kinds: pd.DataFrame) -> pd.DataFrame:
    """Cells of mean, spread and floor."""
    shown = {"kind": kinds["kind"], "runs": kinds["runs"]}
    for name, words in METRICS.items():
        if name in kinds:
            parts = (kinds[key] for key in (name, f"{name}_sd", f"{name}_floor"))
            shown[words] = [_cell(*cell) for cell in zip(*parts, strict=True)]
    if "real_backgrounds" in kinds:
        shown["on real slices"] = kinds["real_backgrounds"]
    return pd.DataFrame(shown)


def _apart(apart: pd.DataFrame, real: ImageSet) -> list[str]:
    """What the differences are, and a sentence on each."""
    counts = {"images": len(real), "patients": real.table["patient"].nunique()}
    return [APART.format(**counts), *(_who_is_ahead(row, counts["patients"]) for row in apart.itertuples())]


def _who_is_ahead(row: Any, patients: int) -> str:
    """Of two rows' KID: which is nearer to real images by more than the interval of the difference, or neither."""
    values = [number(value, 2) for value in (row.kid_difference, row.low, row.high)]
    words = "{}: KID less that of {} is {} ({} to {}); ".format(row.first, row.second, *values)
    if patients < LEAST_PATIENTS:
        return words + f"the reference is {patients} patients only: n is too small to tell who is ahead."
    if row.low > 0:
        return words + f"{row.second} is ahead by more than the interval."
    if row.high < 0:
        return words + f"{row.first} is ahead by more than the interval."
    return words + "the interval holds 0: n is too small to tell who is ahead."


def _cell(mean: float, sd: float, floor: float) -> str:
    if not np.isfinite(mean):
        return "not scored"
    spread = f" ± {number(sd, 2)}" if np.isfinite(sd) else ""
    return f"{number(mean)}{spread}" + (f" [{number(floor, 2)}]" if np.isfinite(floor) else "")


def _budget(kinds: pd.DataFrame, contenders: Sequence[Mapping[str, Any]], seconds: Mapping[str, float]) -> pd.DataFrame:
    """Images, steps, parameters and the mean wall time of a run."""
    times = {
        kind: np.mean([seconds[one["run"]] for one in contenders if one["kind"] == kind]) for kind in kinds["kind"]
    }
    table = kinds[["kind", "images", "steps", "generator", "critic", "rate"]]
    names = {"generator": "parameters that draw", "critic": "other parameters", "rate": "rates times"}
    return table.assign(seconds=kinds["kind"].map(times).round()).rename(columns=names)


def _notes(
    kinds: pd.DataFrame, rates: Mapping[str, Mapping[str, Any]], contenders: Sequence[Mapping[str, Any]]
) -> list[str]:
    """What came out of the search of each kind, what the monitor says of the runs, and what is wrong with them."""
    notes = []
    for kind, found in rates.items():
        scores = found["kid_to_tune"].items()
        tried = ", ".join(f"{factor}: {'spoilt' if kid is None else number(kid)}" for factor, kid in scores)
        notes.append(f"{kind}: learning rates times {found['factor']:g}; KID to tune, a quarter of the way: {tried}.")
    notes += [f"{one['run']}: the monitor says {one['verdict']!r}." for one in contenders if one.get("verdict")]
    return notes + [f"{note}." for note in kinds["note"] if note]


def _sheet(one: ImageSet, words: str, shape: tuple[int, int]) -> View:
    count = shape[0] * shape[1]
    masks = one.masks[:count] if shape == SHEETS["nodules"] else None
    return contact.nodule_sheet(Pictures(one.images[:count], one.mm_per_px, masks), words, *shape)
