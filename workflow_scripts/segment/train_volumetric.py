"""One checkpoint of the training of the network that judges candidates in three dimensions."""

from lungsynth.segment.volumetric import pairs
from lungsynth.segment.volumetric.network import CandidateKind
from lungsynth.study.stages.segment import Volumetric
from lungsynth.workflow.step import step
from lungsynth.workflow.training import run_training

with step(snakemake) as job:  # noqa: F821
    run = job.settings("run")
    kind, cubes = CandidateKind(Volumetric.model_validate(run.settings)), pairs.read(job.input.cubes)
    fit = cubes.take((cubes.table["role"] == "fit").to_numpy())
    run_training(job, run, kind, kind.source(fit, run.training.batch))
