"""A bank of pictures as a zip of equal squares with dataset.json, as StyleGAN's tools read it."""

from lungsynth.sets import bank
from lungsynth.sets.gist_zip import write_gist_zip
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    pictures = bank.read(job.input.bank)
    names = sorted(pictures.table["class"].unique())
    write_gist_zip(job.output.zip, pictures.images, pictures.table["class"].map(names.index).to_numpy(), names)
    job.say(f"{len(pictures)} pictures of {len(names)} classes")
