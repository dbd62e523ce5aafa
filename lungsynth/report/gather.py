"""From the files of a study to what the page shows. A file that is not named leaves its part out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lungsynth.report import cards, compare
from lungsynth.report.blocks import number
from lungsynth.report.data import Counted, Pictures, Training
from lungsynth.sets import bank, shard
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.catalogue import CATALOGUE
from lungsynth.sets.tables import concatenate, read_csv, read_json, read_parquet

SHOWN, TILES = 5, 40


def evenly(count: int, wanted: int) -> np.ndarray:
    """At most `wanted` of `count` places, at even steps: no choosing by looks."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).astype(int)) if count else np.zeros(0, int)


def training(
    name: str, kind: str, losses: Path, verdict: Path, points_every: int, slopes: Path | None = None
) -> Training:
    """A network's losses and slopes (the last checkpoint's tables hold them all) and its verdict."""
    table, words = read_csv(losses), read_json(verdict)
    columns = [column for column in table.columns if column.startswith("loss_")] or [
        column for column in table.columns if column not in ("point", "step")
    ]
    curves = {_curve(column.removeprefix("loss_")): table[column].to_numpy(float) for column in columns[:3]}

    def point(step: int | None) -> int | None:
        return None if step is None else max(0, step // points_every - 1)

    stop, diverged = (point(words[f"{what}_step"]) for what in ("stop", "diverged"))
    verdict_words = words["verdict"][:1].upper() + words["verdict"][1:] + "."
    return Training(
        name,
        kind,
        curves,
        words["window_point"],
        stop,
        diverged,
        verdict_words,
        words["mode"],
        monitored=tuple(map(_curve, words.get("monitored", ()))),
        slopes=None if slopes is None else read_csv(slopes),
        spread=words.get("spread"),
    )


def _curve(loss: str) -> str:
    """A loss's name for people."""
    return loss.replace("_", " ")


def slices(one: ImageSet) -> Pictures:
    """Slices with lesions of a bank at even steps, captioned by patient and slice."""
    rows = evenly(len(one), SHOWN)
    captions = [f"{row.patient}, slice {row.slice}" for row in one.table.iloc[rows].itertuples()]
    return Pictures(one.images[rows], one.mm_per_px, one.masks[rows], captions, len(one))


def tiles(one: ImageSet) -> Pictures:
    """Nodules of a bank at even steps, with their masks."""
    rows = evenly(len(one), TILES)
    return Pictures(one.images[rows], one.mm_per_px, one.masks[rows], [], len(one))


def story(
    lesions_test: Path,
    normals: Path,
    composites: Sequence[Path],
    masks: Sequence[Path],
    rows: Sequence[Path],
    refined: Sequence[Path],
    gate_images: Sequence[Path] = (),
) -> dict[str, Pictures]:
    """The contact sheet: real slices, and generated normals with the composites and refined slices made of them.

    Composites are taken at even steps from all that were rendered on a generated normal, each on another one.
    """
    pool = bank.read(normals)
    table = pd.concat(
        [read_parquet(path).assign(shard=k) for k, path in enumerate(rows)], ignore_index=True
    ).drop_duplicates(["shard", "image"])
    sources = pool.table["source"].astype(str).to_numpy()
    made = table[sources[table["normal"].to_numpy(int)] != "scan"]
    made = made if len(made) else table
    made = made.drop_duplicates("normal")
    chosen = made.iloc[evenly(len(made), SHOWN)]
    kept = [read_csv(path).set_index("image")["keep"] for path in gate_images]

    def words(row: Any) -> str:
        out = bool(kept) and not bool(kept[row.shard][row.image])
        return f"composite {row.composite}" + (", left out by the gate" if out else "")

    def stack(paths: Sequence[Path]) -> np.ndarray:
        return np.stack([shard.load(paths[row.shard])[row.image] for row in chosen.itertuples()])

    captions, placed, mm = [words(row) for row in chosen.itertuples()], stack(masks), pool.mm_per_px
    lungs = chosen["normal"].to_numpy(int)
    names = [str(name) for name in pool.table["id"].to_numpy()[lungs]]
    real = bank.read(lesions_test)
    generated = int((sources != "scan").sum())
    return {
        "real": slices(real),
        "normal": Pictures(pool.images[lungs], mm, None, names, generated),
        "composite": Pictures(stack(composites), mm, placed, captions, len(table)),
        "refined": Pictures(stack(refined), mm, placed, captions, len(table)),
    }


def selection_counts(layer: str, selection: Mapping[str, Any], kept: int) -> Counted:
    """Where the generated images of a layer went."""
    refused = [(str(why), int(count), False) for why, count in selection["refused"].items()]
    return Counted(
        f"generated {layer}", [("selected", kept, True), *refused], "Before selection all of them are drawn."
    )


def gate_counts(images: pd.DataFrame, lesions: pd.DataFrame) -> list[Counted]:
    """Composites and lesions at the gate, each under the first reason that holds."""
    reasons = {
        "erased": "a lesion erased",
        "lost": "a lesion lost",
        "moved": "a lesion moved",
        "invented": "a lesion invented",
    }
    composites = [("released", int(images["keep"].astype(bool).sum()), True)]
    left = ~images["keep"].astype(bool)
    for column, words in reasons.items():
        hit = left & (images[column] > 0)
        composites.append((words, int(hit.sum()), False))
        left &= ~hit
    placed, parts = pd.Series(True, index=lesions.index), []
    for column, words in (("erased", "erased"), ("lost", "lost: not found any more"), ("moved", "moved")):
        hit = placed & lesions[column].astype(bool)
        parts.append((words, int(hit.sum()), False))
        placed &= ~hit
    unseen = placed & ~lesions["found_before"].astype(bool)
    parts.append(("not found before refinement either", int(unseen.sum()), True))
    parts.insert(0, ("in place", int((placed & ~unseen).sum()), True))
    words = "Each under the first reason that holds, over all refined composites before any is left out."
    unjudged = (
        "Lesions that the segmenter did not find before refinement cannot be judged lost; they are counted apart."
    )
    return [Counted("composites", composites, words), Counted("placed lesions", parts, unjudged)]


def key_numbers(tables: Mapping[str, pd.DataFrame], shift: Mapping[str, Any] | None = None) -> list:
    """The cards, from the tables detection, distributions, lungs, anatomy, differences, gate, scores, and the shift in
    HU."""
    get = tables.get
    return [
        *cards.detection_card(get("detection")),
        *cards.diameter_card(get("distributions")),
        *cards.lungs_card(get("lungs")),
        *cards.anatomy_cards(get("anatomy")),
        *cards.kid_card(get("differences")),
        *cards.gate_cards(get("gate"), get("judge")),
        *cards.density_card(shift),
        *cards.copies_card(get("scores")),
    ]


def comparison_words(differences: pd.DataFrame) -> list[str]:
    """A sentence for each paired difference."""
    lines = []
    for row in differences.itertuples():
        reference = str(row.reference).replace("_", " ")
        spread = f"{number(row.kid_difference)} [{number(row.low)}, {number(row.high)}]"
        words = f"the interval {'excludes' if row.excludes_zero else 'includes'} 0"
        words = words if pd.notna(row.low) else "no interval over one patient"
        lines.append(f"KID of {row.first} minus {row.second} against {reference}: {spread}; {words}.")
    return lines


Files = Mapping[str, Path | list[Path]]


def _banks(files: Files, layer: str) -> dict[str, ImageSet]:
    """The sets of a layer that are there, by their role: fit, test, generated, selected."""
    there = (entry for entry in CATALOGUE.values() if entry.subject == layer and entry.name in files)
    return {entry.role: bank.read(files[entry.name]) for entry in there}


def _tables(files: Files) -> dict[str, pd.DataFrame]:
    """The tables that are there; the gate's are those of all shards together."""
    single = ("detection", "froc", "measures", "distributions", "lungs", "anatomy", "differences", "gate", "judge")
    tables = {name: read_csv(files[name]) for name in (*single, "scores", "quarantine", "networks") if name in files}
    for name in ("gate_images", "gate_lesions"):
        if name in files:
            tables[name] = concatenate(map(read_csv, files[name]))
    return tables


def _flow(files: Files, layers: Mapping[str, dict[str, ImageSet]]) -> list[tuple[int, str]]:
    """How many of what, from the patients to the released images."""
    flow = []
    if "cohort" in files:
        flow.append((read_csv(files["cohort"])["patient"].nunique(), "patients"))
    if "marks" in files:
        flow.append((len(read_csv(files["marks"])), "nodules marked"))
    for layer, words in (("nodules", "nodules generated"), ("normals", "lungs generated")):
        if "generated" in layers[layer]:
            flow.append((len(layers[layer]["generated"]), words))
    if "plan_summary" in files:
        flow.append((read_json(files["plan_summary"])["combinations"], "combinations"))
    if "gate_facts" in files:
        flow.append((read_json(files["gate_facts"])["images"], "composites refined"))
    if "manifest" in files:
        flow.append((len(read_csv(files["manifest"])), "images released"))
    return flow


EYES = {"gate": "seen by the gate", "judge": "seen by the judge"}
SEEN = ("not found before", "erased", "lost", "moved by refinement", "with an invented lesion", "kept")


def eyes_table(tables: Mapping[str, pd.DataFrame], points: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """What gate and judge saw over all composites, and what each finds in real slices: a blind judge proves nothing.

    Args:
        tables: gate, and judge where there is one: what, of, share, low, high.
        points: their operating points, as `refine.gate.operating_point` gives them.
    """

    def words(hits: float, low: float = np.nan, high: float = np.nan) -> str:
        spread = f" [{100 * low:.0f}, {100 * high:.0f}]" if np.isfinite(low) else ""
        return "–" if not np.isfinite(hits) else f"{100 * hits:.1f} %{spread}"

    def share(point: Mapping[str, Any], name: str) -> str:
        return words(np.nan if point[name] is None else point[name])

    frame = pd.DataFrame(index=[*SEEN, "found in tune slices", "something found in normal tune slices"])
    frame["of"] = ""
    for eye, heading in EYES.items():
        if eye not in tables or eye not in points:
            continue
        rows = tables[eye].drop_duplicates("what").set_index("what")
        for what in SEEN:
            row = rows.loc[what]
            frame.loc[what, ["of", heading]] = f"{int(row['n'])} {row['of']}", words(*row[["share", "low", "high"]])
        for what, name, of in zip(
            frame.index[len(SEEN) :], ("sensitivity", "findings"), ("nodules", "normals"), strict=True
        ):
            frame.loc[what, ["of", heading]] = f"{points[eye][of]} {of}", share(points[eye], name)
    return frame.rename_axis("what").reset_index()


def _counts(
    files: Files, layers: Mapping[str, dict[str, ImageSet]], tables: Mapping[str, pd.DataFrame]
) -> list[Counted]:
    """What stayed and what fell out, at the gate and at the selections."""
    counts = []
    if {"gate_images", "gate_lesions"} <= set(tables):
        counts += gate_counts(tables["gate_images"], tables["gate_lesions"])
    for layer, banks in layers.items():
        if f"selection_{layer}" in files and "selected" in banks:
            counts.append(selection_counts(layer, read_json(files[f"selection_{layer}"]), len(banks["selected"])))
    return counts


def gather(files: Files, window_hu: tuple[float, float], trainings: Sequence[Training] = ()) -> dict[str, Any]:
    """The parts of `ReportData` that come from files, ready to be passed on.

    Args:
        files: by name; those with several files are lists in the order of the shards. Banks: nodules_*, normals_*
            (fit, test, generated, selected), lesions_test, pool_normals. Composites: composites, masks, rows, refined,
            plan_summary. Gate: gate, gate_threshold, gate_facts, gate_images, gate_lesions; judge and
            judge_threshold where there is one. Selections: selection_nodules, selection_normals. Tables: detection,
            froc, measures, distributions, lungs, anatomy, differences, scores, quarantine, networks, cohort, marks,
            manifest.
        window_hu: of the images, for distances between pixels.
        trainings: see `training`.
    """
    layers, tables = {layer: _banks(files, layer) for layer in ("nodules", "normals")}, _tables(files)
    nodules = layers["nodules"]
    parts: dict[str, Any] = {"trainings": list(trainings), "flow": _flow(files, layers)}
    shift = read_json(files["gate_facts"])["lung_hu_shift"] if "gate_facts" in files else None
    parts["cards"] = key_numbers(tables, shift)
    shown_whole = ("detection", "froc", "scores", "anatomy", "quarantine", "networks")
    parts |= {name: tables[name] for name in shown_whole if name in tables}
    if "detection" in tables and len(tables["detection"]):
        row = tables["detection"].iloc[0]
        parts["operating_point"] = (float(row["false_positives_per_scan"]), float(row["sensitivity"]))
    if {"lesions_test", "pool_normals", "composites", "masks", "rows", "refined"} <= set(files):
        shards = (files[name] for name in ("composites", "masks", "rows", "refined"))
        parts["sheet"] = story(files["lesions_test"], files["pool_normals"], *shards, files.get("gate_images", ()))
    shown = {"real": nodules.get("test"), "generated": nodules.get("selected")}
    parts["nodules"] = {name: tiles(one) for name, one in shown.items() if one is not None}
    if {"measures", "distributions"} <= set(tables):
        measured = tables["measures"], tables["distributions"]
        parts["distributions"] = compare.nodule_distributions(*measured)
        parts["positions"] = compare.positions(*measured)
        if "lungs" in tables:
            parts["lung_area"] = compare.lung_areas(*measured, tables["lungs"])
    parts["copies"] = [
        compare.copies(layer, banks, window_hu) for layer, banks in layers.items() if {"fit", "selected"} <= set(banks)
    ]
    parts["gates"] = _counts(files, layers, tables)
    points = {eye: read_json(files[f"{eye}_threshold"]) for eye in EYES if f"{eye}_threshold" in files}
    parts["eyes"] = eyes_table(tables, points) if {"gate"} <= {*tables} & {*points} else None
    parts["comparisons"] = comparison_words(tables["differences"]) if "differences" in tables else []
    return parts
