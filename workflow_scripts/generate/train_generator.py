"""One checkpoint of a generator: nodules, or normal slices."""

from lungsynth.generate.data import bank_source, to_tensor
from lungsynth.generate.generator import make_kind
from lungsynth.sets import bank
from lungsynth.workflow.step import step
from lungsynth.workflow.training import run_training

with step(snakemake) as job:  # noqa: F821
    run, nodules = job.settings("run"), job.wildcards.target == "nodules"
    real = to_tensor(bank.read(job.input.bank), job.settings("image.window_hu"), with_mask=nodules)
    run_training(job, run, make_kind(run.kind, run.settings), bank_source(real, run.training.batch, turn=nodules))
