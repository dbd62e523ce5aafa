"""The learning rate of a kind in a comparison: of those tried, the one whose images come nearest to tune patients'."""

import math

import numpy as np

from lungsynth.features import apply
from lungsynth.generate.drawn import draw_bank
from lungsynth.score.metrics.kid import Kid
from lungsynth.sets import bank
from lungsynth.sets.tables import write_json
from lungsynth.study.errors import DataError
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    block, device = f"compare.{job.wildcards.compared}", pick_device(job.settings("device"))
    factors, count = job.settings(f"{block}.rates"), job.settings(f"{block}.count")
    grid = job.settings("image"), job.settings("banks")
    extractor, _ = apply.read(job.input.extractor, device)
    tune = bank.read(job.input.tune)
    real, found = apply.features_of(extractor, tune.images, tune.masks), []
    for run, state in zip(job.settings("runs"), job.input.states, strict=True):
        try:
            made = draw_bank([run], [state], count, job.seed, run.name, *grid, device)
            found.append(Kid().value(real, apply.features_of(extractor, made.images, made.masks)))
        except DataError as error:  # a rate that spoils a network is one that is not taken
            job.say(str(error))
            found.append(math.inf)
    best = factors[int(np.argmin(found))]
    tried = {f"{factor:g}": kid if kid < math.inf else None for factor, kid in zip(factors, found, strict=True)}
    write_json(job.output.rate, {"factor": best, "kid_to_tune": tried})
    job.say(f"learning rates times {best:g}; KID to tune {tried}")
