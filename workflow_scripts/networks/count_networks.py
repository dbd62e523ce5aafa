"""networks.csv: how many numbers every network of the study holds, beside the published ones."""

from lungsynth.sets.tables import read_csv, write_csv
from lungsynth.workflow.networks import count
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    runs = job.settings("runs")
    by_class = [run.target for run in runs if run.reads_classes]
    learnt = {target: read_csv(path) for target, path in zip(by_class, job.input.learnt, strict=True)}
    table = count(runs, *(job.settings(block) for block in ("banks", "image", "features")), learnt)
    write_csv(job.output.table, table)
    job.say(f"{len(table)} networks, {table['total'].sum()} numbers")
