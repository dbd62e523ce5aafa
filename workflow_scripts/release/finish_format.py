"""What one format has for the whole set, and what its values mean."""

from lungsynth.release.export import finish
from lungsynth.release.exporter import About
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    finish(job.wildcards.format, About.of(job.settings), job.output.folder.parent)
    job.say(f"{job.wildcards.format} is complete")
