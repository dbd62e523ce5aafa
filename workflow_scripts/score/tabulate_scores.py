"""All scores in one table."""

from lungsynth.score import record, table
from lungsynth.sets.tables import concatenate, read_csv, write_csv
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    scores = [score for path in job.input.scores for score in record.read(path)]
    write_csv(job.output.scores, table.of_scores(scores))
    write_csv(job.output.differences, concatenate(map(read_csv, job.input.differences)))
    job.say(f"{len(scores)} scores")
