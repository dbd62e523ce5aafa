"""Detectors beside each other, on one study's test scans or on those of all folds: tables, and one page."""

import numpy as np
import pandas as pd

from lungsynth.compare import detectors, table
from lungsynth.ct.files import write_text
from lungsynth.report.detectors import page
from lungsynth.segment.scoring import systems
from lungsynth.segment.scoring.answers import pooled, read_answers
from lungsynth.segment.scoring.detection import draw_weights
from lungsynth.segment.scoring.detection_table import Draws
from lungsynth.sets.scans import usable
from lungsynth.sets.tables import concatenate, read_csv, read_json, write_csv
from lungsynth.study.comparison import DETECTORS
from lungsynth.study.seeds import rng
from lungsynth.workflow.records import job_seconds, seconds_of
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    cohorts, confidence = [usable(path, ["test"]) for path in job.input.cohort], job.settings("score.confidence")
    cohorts, folds = [one[one["kind"] == "volume"] for one in cohorts], [path.parts[-3] for path in job.input.cohort]
    cohort, marks = concatenate(cohorts), systems.marks_of([read_csv(path) for path in job.input.marks], cohorts)
    tables = zip(job.input.candidates, job.input.nodules, job.input.places, strict=True)
    told = [read_json(path) for path in job.input.facts]
    read = [read_answers(one, *paths) for one, paths in zip(told, tables, strict=True)]
    facts, answers, kinds_run = [], {}, len(told) // len(folds)
    for place in range(kinds_run):  # files come fold by fold
        facts.append(detectors.pooled_facts(told[place::kinds_run], folds))
        answers[facts[-1]["run"]] = pooled(read[place::kinds_run], [one["scan"].tolist() for one in cohorts])
    weights = draw_weights(cohort["patient"], job.settings("score.bootstrap"), rng(job.seed, "compare", "detectors"))
    draws, order, names = Draws(weights, confidence), list(systems.MEASURES), cohort["scan"].tolist()
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
    # Wall time is of this machine and this run: on the page, and not in tables that a second run makes again.
    logs = [job.log.parents[1] / name for name in folds]
    seconds = {run: np.mean([seconds_of(each, "train_segmenter", "nodules", run) for each in logs]) for run in answers}
    a_scan = {run: [job_seconds(each, f"detect_contender-{run}") for each in logs] for run in answers}
    scans = {run: [one.get("scans", 1) for one in told if one["run"] == run] for run in answers}
    a_scan = {run: np.sum(times) / np.sum(scans[run]) for run, times in a_scan.items()}
    write_text(job.output.page, page(kinds, groups, apart, claims, facts, seconds, a_scan, len(names), len(folds)))
    job.say(kinds[["kind", "runs", "sensitivity", "candidates_per_scan", "cpm"]].to_string(index=False))
