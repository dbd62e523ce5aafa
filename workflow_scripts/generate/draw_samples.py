"""Images from a trained generator, before any selection."""

from lungsynth.generate.generator import make_kind
from lungsynth.generate.sample import as_nodules, as_slices, draw
from lungsynth.sets import bank
from lungsynth.train.loop import load, pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    run, image, banks = job.settings("run"), job.settings("image"), job.settings("banks")
    kind, count = make_kind(run.kind, run.settings), job.settings(f"generate.{run.target}.sampling").count
    modules = load(kind, job.input.state, pick_device(job.settings("device")))
    drawn, source = draw(kind, modules, count, job.seed, run.name), f"{run.label}:{run.seed}"
    if run.target == "nodules":
        made = as_nodules(drawn, image.window_hu, banks.mm_per_px, banks.margin_mm, source)
    else:
        made = as_slices(drawn, image.window_hu, image.mm_per_px, source)
    bank.write(job.output.images, made)
    job.say(f"{len(made)} images")
