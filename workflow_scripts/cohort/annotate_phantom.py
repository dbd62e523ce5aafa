"""annotations.csv of the phantom cohort, as LUNA16 has it."""

import pandas as pd

from lungsynth.sets.tables import read_csv, write_csv
from lungsynth.workflow.step import step

COLUMNS = ["seriesuid", "coordX", "coordY", "coordZ", "diameter_mm"]

with step(snakemake) as job:  # noqa: F821
    truth = pd.concat([read_csv(path) for path in job.input.truth], ignore_index=True)
    write_csv(job.output.annotations, truth[COLUMNS])
    job.say(f"{len(truth)} nodules of {truth['seriesuid'].nunique()} patients")
