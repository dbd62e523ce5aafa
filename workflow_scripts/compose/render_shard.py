"""The composites of one shard of the plan."""

from lungsynth.compose.render import Renderer, render_shard
from lungsynth.sets import bank, shard
from lungsynth.sets.tables import read_parquet
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    settings = job.settings("compose.render")
    groups, plan = read_parquet(job.input.groups), read_parquet(job.input.plan)
    renderer = Renderer(bank.read(job.input.normals), bank.read(job.input.nodules), groups, settings)
    images, masks, lesions = render_shard(renderer, plan, int(job.wildcards.shard))
    shard.write(job.output.images.with_suffix(""), images, masks, lesions)
    job.say(f"{len(images)} composites with {len(lesions)} lesions")
