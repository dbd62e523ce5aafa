"""One checkpoint of the training of the network that outlines candidates in space."""

from lungsynth.segment.outlines import bodies
from lungsynth.segment.outlines.network import OutlineKind
from lungsynth.study.stages.segment import Outlines
from lungsynth.workflow.step import step
from lungsynth.workflow.training import run_training

with step(snakemake) as job:  # noqa: F821
    run = job.settings("run")
    kind = OutlineKind(Outlines.model_validate(run.settings))
    run_training(job, run, kind, kind.source(bodies.read(job.input.bodies, "fit"), run.training.batch))
