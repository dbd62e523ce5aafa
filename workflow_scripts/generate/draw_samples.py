"""Images from a trained generator, before any selection."""

from lungsynth.generate.labels import how_many, labelled
from lungsynth.generate.sample import as_nodules, as_slices, draw
from lungsynth.generate.trained import generator_of, load_all, shape_of
from lungsynth.sets import bank
from lungsynth.sets.tables import read_csv
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    drawn_by, image, banks = job.settings("runs"), job.settings("image"), job.settings("banks")
    run, nodules = drawn_by[0], job.wildcards.target == "nodules"
    shape = shape_of(run, banks.nodule_px if nodules else image.size_px)
    known = labelled(run, read_csv(job.input.learnt[0])) if run.labels else None
    modules = load_all(drawn_by, job.input.states, shape, pick_device(job.settings("device")), how_many(known))
    count, source = job.settings(f"generate.{run.target}.sampling").count, f"{run.label}:{run.seed}"
    labels = None if known is None else known.classes.draw(count, job.seed, run.name)
    drawn = draw(generator_of(drawn_by), modules, count, job.seed, run.name, labels)
    if nodules:
        made = as_nodules(drawn, image.window_hu, banks.mm_per_px, banks.margin_mm, source)
    else:
        made = as_slices(drawn, image.window_hu, image.mm_per_px, source)
    bank.write(job.output.images, made if known is None else known.classes.marked(made, labels))
    job.say(f"{len(made)} images")
