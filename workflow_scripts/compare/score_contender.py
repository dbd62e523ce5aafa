"""A run of a comparison: the images that it draws, and what they score against test patients'."""

import numpy as np

from lungsynth.compare import contender
from lungsynth.features import apply
from lungsynth.generate.sample import as_set, draw
from lungsynth.generate.trained import generator_of, load_all, parameters, shape_of
from lungsynth.score.made import scores_of_made
from lungsynth.score.record import Effort
from lungsynth.sets import bank
from lungsynth.sets.tables import read_json, write_json
from lungsynth.study import comparison
from lungsynth.train.loop import pick_device
from lungsynth.workflow.shipped import grid_of
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    name, run, banks = job.wildcards.compared, job.settings("run"), job.settings("banks")
    target, device = comparison.SUBJECTS[name], pick_device(job.settings("device"))
    grid = grid_of(banks, job.settings("image"), target)
    shape = shape_of(run, grid["size_px"])
    modules = load_all([run], [job.input.state], shape, device)
    drawn = draw(generator_of([run]), modules, job.settings(f"compare.{name}.count"), job.seed, run.name)
    sound = bool(np.isfinite(drawn).all())
    made = as_set(target, drawn if sound else np.full_like(drawn, -1), grid, banks.margin_mm, run.name)
    scores = []
    if sound:
        real = [bank.read(path) for path in (job.input.test, job.input.fit)]
        effort = Effort(*(job.settings(f"score.{key}") for key in ("bootstrap", "floors", "confidence")))
        how = apply.read(job.input.extractor, device), job.settings("score.metrics"), job.seed, effort
        slices = 0 if target == "nodules" else job.settings("score.anatomy").slices
        scores = scores_of_made(made, *real, *how, slices)
    bank.write(job.output.images, made)
    verdict, rate = ([read_json(path) for path in some] for some in (job.input.verdict, job.input.rate))
    write_json(job.output.facts, contender.facts(run, verdict, rate, parameters(run, shape), scores))
    job.say(f"{run.name}: {len(scores)} scores")
