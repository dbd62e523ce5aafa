"""One training segment of a generator: nodules, or normal slices."""

from lungsynth.generate.base import Shape, make_kind
from lungsynth.generate.data import batches, to_tensor
from lungsynth.sets import bank
from lungsynth.workflow.step import step
from lungsynth.workflow.training import run_training

with step(snakemake) as job:  # noqa: F821
    name = job.wildcards.layer
    layer, nodules = job.settings(f"generate.{name}"), name == "nodules"
    real = to_tensor(bank.read(job.input.bank), job.settings("image.window_hu"), with_mask=nodules)
    kind = make_kind(layer.kind, layer.block(), Shape(real.shape[-1], real.shape[1]), layer.ema, real)
    data = batches(real, kind.settings.batch, turn=nodules)
    run_training(job, f"generate/{name}", kind, data, layer, layer.threads)
