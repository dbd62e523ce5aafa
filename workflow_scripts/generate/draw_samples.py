"""Images from a trained generator, before any selection."""

from lungsynth.generate.base import Shape, make_kind
from lungsynth.generate.sample import as_nodules, as_slices, draw, load_generator
from lungsynth.sets import bank
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    name = job.wildcards.layer
    layer, image, banks = job.settings(f"generate.{name}"), job.settings("image"), job.settings("banks")
    shape = Shape(banks.nodule_px, 2) if name == "nodules" else Shape(image.size_px, 1)
    gan = make_kind(layer.kind, layer.block(), shape, layer.ema)
    drawn = draw(load_generator(gan, job.input.state), layer.count, job.seed, f"generate/{name}")
    source = f"{layer.kind}:{job.seed}"
    if name == "nodules":
        made = as_nodules(drawn, image.window_hu, banks.mm_per_px, banks.margin_mm, source)
    else:
        made = as_slices(drawn, image.window_hu, image.mm_per_px, source)
    bank.write(job.output.images, made)
    job.say(f"{len(made)} images")
