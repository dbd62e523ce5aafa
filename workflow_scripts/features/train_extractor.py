"""An extractor, trained on the fit patients' banks and released with its card."""

import sys

from lungsynth.features.training import train_extractor
from lungsynth.sets import bank
from lungsynth.study.runs import Run
from lungsynth.train.checkpoints import RunPlan
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    features, name = job.settings("features"), job.wildcards.extractor
    images = bank.concatenate([bank.read(path) for path in job.input.banks])
    run = Run(stage="features", target=name, label=features.kind, seed=job.seed, kind=features.kind)
    plan = RunPlan(run.name, job.seed, features.training, device=job.settings("device"))
    outputs = job.output.weights, job.output.losses
    recipe = train_extractor(name, images, features, job.settings("image.window_hu"), plan, *outputs, sys.stderr)
    job.say(f"{name}: accuracy {recipe['fit']['accuracy']} on the {len(images)} images it was trained on")
