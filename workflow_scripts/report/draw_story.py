"""The story in one picture: real, generated, composite and refined slices."""

from lungsynth.ct.files import write_bytes
from lungsynth.report.contact import story_sheet
from lungsynth.report.gather import story
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    files = job.input
    shards = files.composites, files.masks, files.rows, files.refined
    sheet = story(files.lesions_test, files.pool_normals, *shards, files.gate_images)
    write_bytes(job.output.story, story_sheet(sheet))
    job.say(", ".join(f"{name}: {len(pictures.images)} of {pictures.total}" for name, pictures in sheet.items()))
