"""The released images of one shard in one format."""

from lungsynth.release.export import export
from lungsynth.release.exporter import About
from lungsynth.release.manifest import items
from lungsynth.sets import shard
from lungsynth.sets.tables import read_parquet, write_csv
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    name, number, release = job.wildcards.format, job.wildcards.shard, job.output.images.parents[2]
    images, masks = shard.load(job.input.images), shard.load(job.input.masks)
    kept, lesions = read_parquet(job.input.kept), read_parquet(job.input.lesions)
    shown = job.bar(items(images, masks, kept, lesions, f"{name}/{number}"), len(kept))
    files = export(name, About.of(job.settings), shown, release, number)
    write_csv(job.output.files, files)
    job.say(f"{len(files)} images as {name}")
