"""All scores in one table."""

import pandas as pd

from lungsynth.score import record, table
from lungsynth.sets.tables import read_csv, write_csv
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    scores = [score for path in job.input.scores for score in record.read(path)]
    write_csv(job.output.scores, table.of_scores(scores))
    write_csv(job.output.differences, pd.concat([read_csv(path) for path in job.input.differences], ignore_index=True))
    job.say(f"{len(scores)} scores")
