"""annotations.csv of the phantom cohort, as LUNA16 has it."""

from lungsynth.sets.tables import concatenate, read_csv, write_csv
from lungsynth.workflow.step import step

COLUMNS = ["seriesuid", "coordX", "coordY", "coordZ", "diameter_mm"]

with step(snakemake) as job:  # noqa: F821
    truth = concatenate(map(read_csv, job.input.truth))
    write_csv(job.output.annotations, truth[COLUMNS])
    job.say(f"{len(truth)} nodules of {truth['seriesuid'].nunique()} patients")
