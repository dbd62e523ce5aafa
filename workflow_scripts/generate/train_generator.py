"""One training segment of a generator: nodules, or normal slices."""

from lungsynth.generate.base import Shape
from lungsynth.generate.data import batches, to_tensor
from lungsynth.generate.registry import GENERATORS
from lungsynth.sets import bank
from lungsynth.workflow.step import step
from lungsynth.workflow.training import run_training

with step(snakemake) as job:  # noqa: F821
    name = job.wildcards.layer
    layer, nodules = job.settings(f"generate.{name}"), name == "nodules"
    real = to_tensor(bank.read(job.input.bank), job.settings("image.window_hu"), with_mask=nodules)
    shape, own = Shape(real.shape[-1], real.shape[1]), GENERATORS.settings(layer.kind)(**layer.block())
    kind = GENERATORS.get(layer.kind)(own, shape, layer.ema, real)
    run_training(job, f"generate/{name}", kind, batches(real, own.batch, turn=nodules), layer, layer.threads)
