"""One checkpoint of the nodule detector's training."""

from lungsynth.segment.apply import make_kind
from lungsynth.segment.training import windows
from lungsynth.study.stages.segment import ChosenDetector
from lungsynth.workflow.step import step
from lungsynth.workflow.training import run_training

with step(snakemake) as job:  # noqa: F821
    run = job.settings("run")
    kind = make_kind(ChosenDetector(kind=run.kind, **run.settings))
    contexts = [windows.read(path) for path in job.input.windows]
    run_training(job, run, kind, kind.source(contexts, run.training.batch))
