"""Every group on every normal: the best pairs are the plan."""

from lungsynth.compose.clearance import score_all
from lungsynth.compose.plan import make_plan
from lungsynth.sets import bank
from lungsynth.sets.tables import read_parquet, write_json, write_parquet
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    settings = job.settings("compose.plan")
    normals, groups = bank.read(job.input.normals), read_parquet(job.input.groups)
    plan, summary = make_plan(
        score_all(normals, groups, settings, job.settings("compose.groups.gap_mm")), settings, job.seed
    )
    write_parquet(job.output.plan, plan)
    write_json(job.output.summary, summary)
    job.say(f"{len(plan)} of {summary['combinations']} combinations kept")
