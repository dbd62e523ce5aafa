"""Images from a trained generator, before any selection."""

from lungsynth.generate.drawn import draw_bank
from lungsynth.sets import bank
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    drawn_by, image, banks = job.settings("runs"), job.settings("image"), job.settings("banks")
    count, device = job.settings(f"generate.{job.wildcards.target}.sampling").count, job.settings("device")
    files, stream = job.input.states, drawn_by[0].name
    made = draw_bank(drawn_by, files, count, job.seed, stream, image, banks, pick_device(device))
    bank.write(job.output.images, made)
    job.say(f"{len(made)} images")
