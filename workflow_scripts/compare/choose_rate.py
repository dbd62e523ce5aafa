"""The learning rate of a kind in a comparison: the one whose images come nearest to tune patients'."""

import math

import numpy as np

from lungsynth.features import apply
from lungsynth.generate.sample import as_set, draw
from lungsynth.generate.trained import generator_of, load_all, shape_of
from lungsynth.score.metrics.kid import Kid
from lungsynth.sets import bank
from lungsynth.sets.tables import write_json
from lungsynth.study import comparison
from lungsynth.train.loop import pick_device
from lungsynth.workflow.shipped import grid_of
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    name, banks, device = job.wildcards.compared, job.settings("banks"), pick_device(job.settings("device"))
    target, count = comparison.SUBJECTS[name], job.settings(f"compare.{name}.count")
    grid = grid_of(banks, job.settings("image"), target)
    extractor, _ = apply.read(job.input.extractor, device)
    tune = bank.read(job.input.tune)
    real, found = apply.features_of(extractor, tune.images, tune.masks), []
    for run, state in zip(job.settings("runs"), job.input.states, strict=True):
        modules = load_all([run], [state], shape_of(run, grid["size_px"]), device)
        drawn = draw(generator_of([run]), modules, count, job.seed, run.name)
        kid = math.inf
        if np.isfinite(drawn).all():
            made = as_set(target, drawn, grid, banks.margin_mm, run.name)
            kid = Kid().value(real, apply.features_of(extractor, made.images, made.masks))
        found.append(kid)
    factors = job.settings(f"compare.{name}.rates")
    best = factors[int(np.argmin(found))]
    tried = {f"{factor:g}": kid if kid < math.inf else None for factor, kid in zip(factors, found, strict=True)}
    write_json(job.output.rate, {"factor": best, "kid_to_tune": tried})
    job.say(f"learning rates times {best:g}; KID to tune {tried}")
