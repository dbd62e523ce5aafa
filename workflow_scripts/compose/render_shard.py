"""The composites of one shard of the plan."""

from lungsynth.compose.render import read_plan, render_rows, renderer_of
from lungsynth.sets import shard
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    settings = job.settings("compose.render")
    plan = read_plan(job.input.plan, int(job.wildcards.shard), settings)
    renderer = renderer_of(plan, job.input.normals, job.input.nodules, job.input.groups, settings)
    images, masks, lesions = render_rows(renderer, job.bar(plan.itertuples(), len(plan)), len(plan))
    shard.write(job.output.images.with_suffix(""), images, masks, lesions)
    job.say(f"{len(images)} composites with {len(lesions)} lesions")
