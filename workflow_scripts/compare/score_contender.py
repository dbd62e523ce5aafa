"""A run of a comparison: the images that it draws, and what they score against test patients'."""

from dataclasses import asdict

import numpy as np

from lungsynth.features import apply
from lungsynth.generate.sample import as_set, draw
from lungsynth.generate.trained import generator_of, load_all, parameters, shape_of
from lungsynth.score.record import Effort
from lungsynth.score.scorer import score_made
from lungsynth.sets import bank
from lungsynth.sets.tables import read_json, write_json
from lungsynth.train.loop import pick_device
from lungsynth.workflow.shipped import grid_of
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    target, run, banks = job.wildcards.target, job.settings("run"), job.settings("banks")
    grid, device = grid_of(banks, job.settings("image"), target), pick_device(job.settings("device"))
    shape = shape_of(run, grid["size_px"])
    modules = load_all([run], [job.input.state], shape, device)
    drawn = draw(generator_of([run]), modules, job.settings(f"compare.{target}.count"), job.seed, run.name)
    sound = bool(np.isfinite(drawn).all())
    made = as_set(target, drawn if sound else np.full_like(drawn, -1), grid, banks.margin_mm, run.name)
    scores = []
    if sound:
        test, fit = (bank.read(path) for path in (job.input.test, job.input.fit))
        effort = Effort(*(job.settings(f"score.{key}") for key in ("bootstrap", "floors", "confidence")))
        extractor = apply.read(job.input.extractor, device)
        scores = score_made(made, test, fit, extractor, job.settings("score.metrics"), job.seed, effort)
    bank.write(job.output.images, made)
    told = read_json(job.input.verdict[0]) if job.input.verdict else {"step": 0, "spoilt": False}
    facts = {
        "kind": run.kind if run.compared else f"{run.kind}, as the study draws",
        "run": f"{run.label}-{run.seed}",
        "steps": told["step"],
        "images": told["step"] * run.training.batch,
        "rate": read_json(job.input.rate[0])["factor"] if job.input.rate else 1.0,
        "note": told["verdict"] if told["spoilt"] else "" if run.compared else f"starts from {run.init_from}",
        **parameters(run, shape),
        "scores": [asdict(one) for one in scores],
    }
    write_json(job.output.facts, facts)
    job.say(f"{run.name}: {len(scores)} scores {facts['note']}")
