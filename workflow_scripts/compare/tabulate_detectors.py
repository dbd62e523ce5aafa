"""Detectors beside each other: tables, and one page."""

from pathlib import Path

import pandas as pd

from lungsynth.compare import detectors, table
from lungsynth.ct.files import write_text
from lungsynth.report.detectors import page
from lungsynth.segment.scoring import systems
from lungsynth.segment.scoring.answers import read_answers
from lungsynth.segment.scoring.detection import draw_weights
from lungsynth.segment.scoring.detection_table import Draws
from lungsynth.sets.scans import usable
from lungsynth.sets.tables import read_csv, read_json, write_csv
from lungsynth.study.comparison import DETECTORS
from lungsynth.study.seeds import rng
from lungsynth.workflow.records import job_seconds, seconds_of
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    cohort, confidence = usable(job.input.cohort, ["test"]), job.settings("score.confidence")
    cohort, marks = cohort[cohort["kind"] == "volume"], read_csv(job.input.marks)
    names, facts = cohort["scan"].tolist(), [read_json(path) for path in job.input.facts]
    weights = draw_weights(cohort["patient"], job.settings("score.bootstrap"), rng(job.seed, "compare", "detectors"))
    draws, order = Draws(weights, confidence), list(systems.MEASURES)
    tables = zip(job.input.candidates, job.input.nodules, job.input.places, strict=True)
    answers = {one["run"]: read_answers(one, *paths) for one, paths in zip(facts, tables, strict=True)}
    measured = {run: systems.measures(answer, marks, names, draws) for run, answer in answers.items()}
    of: dict[str, list[str]] = {}
    for one in facts:
        of.setdefault(one["kind"], []).append(one["run"])
    means = {kind: systems.mean_of([measured[run] for run in runs]) for kind, runs in of.items()}
    groups = [
        {"kind": kind} | row
        for kind, runs in of.items()
        for row in systems.by_group([answers[run].nodules for run in runs], names, draws)
    ]
    runs = detectors.of_runs(facts, measured, confidence)
    kinds, groups = detectors.of_kinds(runs, means, order, confidence), pd.DataFrame(groups)
    apart, claims = systems.differences(means, confidence), table.claims(DETECTORS, kinds)
    for path, one in (
        (job.output.kinds, kinds),
        (job.output.runs, runs),
        (job.output.groups, groups),
        (job.output.differences, apart),
        (job.output.claims, claims),
    ):
        write_csv(path, one)
    logs = Path(snakemake.log[0]).parent  # noqa: F821
    # Wall time is of this machine and this run: on the page, and not in tables that a second run makes again.
    seconds = {one["run"]: seconds_of(logs, "train_segmenter", "nodules", one["run"]) for one in facts}
    a_scan = {one["run"]: job_seconds(logs, f"detect_contender-{one['run']}") / one.get("scans", 1) for one in facts}
    write_text(job.output.page, page(kinds, groups, apart, claims, facts, seconds, a_scan, len(names)))
    job.say(kinds[["kind", "runs", "sensitivity", "candidates_per_scan", "cpm"]].to_string(index=False))
