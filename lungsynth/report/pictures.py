"""The report of the chain of pictures: classes side by side, the training's course, scores, copies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lungsynth import __version__
from lungsynth.report import charts, classifiers, compare, contact
from lungsynth.report.blocks import Chart, number, table_of
from lungsynth.report.cautions import cautions, like_nothing
from lungsynth.report.data import Card, Pictures, ReportData
from lungsynth.report.figures import View
from lungsynth.report.gather import evenly, selection_counts, training
from lungsynth.report.origin import behind, flat, provenance
from lungsynth.report.page import page
from lungsynth.sets import bank
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.parts import learnt_by
from lungsynth.sets.tables import read_csv, read_json

COLUMNS, ROWS = 8, 3
LOST = 0.1
"""What a classifier may lose that learns from generated pictures."""
COPIED = 0.1
"""Authenticity may lie so far below that of held-out pictures."""
SUBTITLE = (
    "Pictures of every class, learnt from a folder of real ones, selected without copies and scored against those of "
    "patients whom no network has seen."
)
COURSE_WORDS = (
    "Images from every state. A good course falls and stays; where it climbs again, an earlier state is better."
)


@dataclass(frozen=True)
class ClassRow:
    """A class with its real and generated pictures, and how many there are of each."""

    name: str
    real: View
    generated: View | None
    counts: tuple[int, int]


@dataclass(frozen=True)
class Course:
    """A run's way: its scores as a chart, and a row of pictures from each state, the first above."""

    run: str
    chart: Chart
    rows: list[tuple[str, View]]


def report(
    files: Mapping[str, Any],
    view: Mapping[str, Any],
    runs: Sequence[Any],
    records: Sequence[Mapping[str, Any]],
    environment: Mapping[str, Any],
    target: tuple[str, str],
) -> str:
    """The page, from the files of a study of pictures.

    Args:
        files: by name: banks and sets of the catalogue (pictures_fit, ...), cohort, quarantine, selection, checkpoints,
            along, scores, score_facts, networks, manifest; losses, slopes and verdicts: lists in the order of `runs`.
        view: the settings of the whole study; runs: those that draw.
        records, environment, target: see `assemble`.
    """
    banks = {role: bank.read(files[f"pictures_{role}"]) for role in ("fit", "test", "generated", "selected")}
    banks["fit"] = learnt_by(banks["fit"], runs, view["seed"])
    settings, scores = flat(view), read_csv(files["scores"])
    trainings = [
        training(run.name.rpartition("/")[2], run.kind, losses, verdict, run.training.points_every, slopes)
        for run, losses, verdict, slopes in zip(
            runs, files.get("losses", ()), files.get("verdicts", ()), files.get("slopes", ()), strict=False
        )
    ]
    edges, stages, made = behind(records, files, target)
    learnt = read_csv(files["classifiers"]) if "classifiers" in files else None
    data = ReportData(
        study=view["study"],
        seed=view["seed"],
        version=__version__,
        title=settings["release.title"],
        subtitle=SUBTITLE,
        warnings=[*cautions(files), *few_learnt_from(len(banks["fit"]), runs)],
        cards=cards(scores, learnt),
        flow=flow(read_csv(files["cohort"]), banks, read_csv(files["manifest"])),
        trainings=trainings,
        copies=[compare.copies("pictures", banks, tuple(view["image"]["window_hu"]))],
        gates=[selection_counts("pictures", read_json(files["selection"]), len(banks["selected"]))],
        scores=scores,
        quarantine=read_csv(files["quarantine"]),
        networks=read_csv(files["networks"]),
        edges=edges,
        stages=stages,
        settings=settings,
        provenance=provenance(made, environment),
    )
    return page(
        data,
        "pictures.html.j2",
        classes=classes(banks),
        claims=table_of(read_csv(files["claims"]).fillna("")),
        use=None if learnt is None else classifiers.chart(learnt),
        utility=None if learnt is None else classifiers.table(learnt),
        courses=courses(read_csv(files["checkpoints"]), bank.read(files["along"]), files.get("verdicts", ())),
    )


def flow(listed: pd.DataFrame, banks: Mapping[str, ImageSet], manifest: pd.DataFrame) -> list[tuple[int, str]]:
    """How many of what, from patients to released pictures."""
    return [
        (listed["patient"].nunique(), "patients"),
        (len(listed), "pictures"),
        (len(banks["fit"]), "learnt from"),
        (len(banks["generated"]), "generated"),
        (len(manifest), "released"),
    ]


def few_learnt_from(pictures: int, runs: Sequence[Any], enough: int = 100) -> list[str]:
    """A warning where a generator can know all its pictures by heart.

    Args:
        pictures: in the bank; runs: that learn from it, or from the part that each names.
    """
    least = min((run.subset.count for run in runs if run.subset and run.subset.count), default=pictures)
    if least >= enough:
        return []
    return [
        f"A generator learnt from {least} pictures: with so few, one that looks good is a copy until the closest pairs "
        "and authenticity say otherwise."
    ]


def cards(scores: pd.DataFrame, learnt: pd.DataFrame | None = None) -> list[Card]:
    """KID, FID, precision, recall and authenticity of the selected pictures, with what real ones score beside them.

    Args:
        learnt: utility/classifiers_summary.csv, for what the best classifier loses with generated pictures.
    """
    found = []
    for metric, label in (("kid", "KID"), ("fid", "FID"), ("precision", "Precision"), ("recall", "Recall")):
        row = _row(scores, "selected", metric)
        if row is not None:
            n = f"{row.n_set} pictures against {row.n_reference} of other patients"
            note = f"real ones score {number(row.floor, 2)}"
            found.append(Card(f"{label}, selected", row.value, "", row.low, row.high, n, note=note))
    row, other = _row(scores, "selected", "authenticity"), _row(scores, "held_out", "authenticity")
    if row is not None and other is not None:
        bound = other.value - COPIED
        verdict = "good" if row.low >= bound else "open" if row.value >= bound else "bad"
        aim, note = f"≥ {number(bound, 2)}", f"held-out real pictures score {number(other.value, 2)}"
        n = f"{row.n_set} pictures, {row.n_reference} learnt from"
        among = _row(scores, "selected", "precision")
        if among is not None and like_nothing(among.value, among.floor):
            verdict, note = "open", f"{note}; hardly a generated one lies among real ones, so none can be a copy"
        found.append(Card("Authenticity, selected", row.value, "", row.low, row.high, n, aim, verdict, note))
    return found + ([] if learnt is None else use_cards(learnt))


def use_cards(learnt: pd.DataFrame) -> list[Card]:
    """GAN-train beside base: accuracy of each kind of classifier that has seen generated pictures only."""
    rows = learnt[learnt["metric"] == "accuracy"].set_index(["classifier", "approach"])
    found = []
    for kind in dict.fromkeys(name for name, _ in rows.index):
        base, row = rows.loc[(kind, "base")], rows.loc[(kind, "gan_train")]
        bound = base["mean"] - LOST
        verdict = "good" if row["low"] >= bound else "open" if row["mean"] >= bound else "bad"
        n, note = f"{row['n_test']} real pictures", f"learnt from real ones: {number(base['mean'], 2)}"
        aim = f"≥ {number(bound, 2)}"
        found.append(
            Card(f"Accuracy of {kind}, GAN-train", row["mean"], "", row["low"], row["high"], n, aim, verdict, note)
        )
    return found


def _row(scores: pd.DataFrame, name: str, metric: str) -> Any:
    rows = scores[(scores["set"] == name) & (scores["metric"] == metric) & (scores["extractor"] == "pictures")]
    return None if rows.empty or pd.isna(rows.iloc[0]["value"]) else rows.iloc[0]


def classes(banks: Mapping[str, ImageSet]) -> list[ClassRow]:
    """Held-out and selected pictures of every class at even steps, nothing chosen by looks."""
    real, made = banks["test"], banks["selected"]
    names, told = sorted(real.table["class"].unique()), "label" in made.table
    found = []
    for name in names if told else [", ".join(names)]:
        sets = [
            real.take((real.table["class"] == name).to_numpy()),
            made.take((made.table["label"] == name).to_numpy()),
        ]
        sets = sets if told else [real, made]
        views = [_sheet(one, f"{words} {name}") for one, words in zip(sets, ("real", "generated"), strict=True)]
        found.append(ClassRow(name, views[0], views[1], (len(sets[0]), len(sets[1]))))
    return found


def _sheet(one: ImageSet, words: str) -> View | None:
    rows = evenly(len(one), COLUMNS * ROWS)
    return contact.nodule_sheet(Pictures(one.images[rows], 1), words, COLUMNS, ROWS) if len(rows) else None


def courses(table: pd.DataFrame, along: ImageSet, verdicts: Sequence[Path]) -> list[Course]:
    """What every state of each run scores, and pictures of at most eight of them, the same random numbers each."""
    found = []
    for index, (run, rows) in enumerate(table.groupby("run", sort=False)):
        said = read_json(verdicts[index]) if index < len(verdicts) else {}
        batch = rows["images"].iloc[-1] / max(rows["step"].iloc[-1], 1)
        stop = None if said.get("stop_step") is None else said["stop_step"] * batch
        words = COURSE_WORDS + ("" if stop is None else _at_stop(rows, stop))
        legend = [("generated", "against tune pictures", ""), ("other dashed", "against those learnt from", "")]
        own, shown = along.take((along.table["run"] == run).to_numpy()), []
        for row in rows.iloc[evenly(len(rows), 8)].itertuples():
            some = own.take((own.table["checkpoint"] == row.checkpoint).to_numpy())
            shown.append((f"{row.images:,} images".replace(",", " "), _strip(some, f"after {row.images} images")))
        name = str(run).rpartition("/")[2]
        found.append(Course(name, Chart(charts.along_training(rows, stop), "FID and KID", words, legend), shown))
    return found


def _at_stop(rows: pd.DataFrame, stop: float) -> str:
    """Whether the stop that the losses' slope gives costs quality, in words."""
    after = rows[rows["images"] >= stop]
    if after.empty:
        return ""
    at, best = after.iloc[0], rows.loc[rows["kid_tune"].idxmin()]
    return (
        f" At the slope's stop KID to tune is {number(at['kid_tune'])}; the best state, after "
        f"{int(best['images'])} images, has {number(best['kid_tune'])}."
    )


def _strip(one: ImageSet, words: str) -> View:
    return contact.nodule_sheet(Pictures(one.images, 1), words, len(one), 1)
