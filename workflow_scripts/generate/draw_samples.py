"""Images from a trained generator, before any selection."""

from lungsynth.generate.drawn import draw_bank
from lungsynth.sets import bank
from lungsynth.sets.tables import read_csv
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    drawn_by, image, banks = job.settings("runs"), job.settings("image"), job.settings("banks")
    count, device = job.settings(f"generate.{job.wildcards.target}.sampling").count, job.settings("device")
    table = read_csv(job.input.learnt[0]) if job.input.learnt else None
    how = count, job.seed, drawn_by[0].name, image, banks, pick_device(device)
    made = draw_bank(drawn_by, job.input.states, *how, table)
    bank.write(job.output.images, made)
    job.say(f"{len(made)} images")
