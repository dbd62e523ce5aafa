"""One checkpoint of the nodule detector's training."""

from lungsynth.segment.apply import make_kind
from lungsynth.segment.training import windows
from lungsynth.workflow.step import step
from lungsynth.workflow.training import detector_of, run_training

with step(snakemake) as job:  # noqa: F821
    run = job.settings("run")
    kind = make_kind(detector_of(job))
    contexts = [windows.read(path) for path in job.input.windows]
    run_training(job, run, kind, kind.source(contexts, run.training.batch))
