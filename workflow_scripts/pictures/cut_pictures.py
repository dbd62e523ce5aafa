"""Banks of equal squares, one for each role."""

from lungsynth.cohort.pictures.sources import root_of
from lungsynth.cohort.pictures.squares import cut
from lungsynth.sets import bank
from lungsynth.sets.tables import read_csv
from lungsynth.workflow.sources import under_data
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    settings, listed = job.settings("pictures"), read_csv(job.input.pictures)
    root, said = root_of(settings, under_data("")), []
    for path in job.output.images:
        role = path.stem.removeprefix("pictures_")
        made = cut(root, listed[listed["role"] == role], settings, job.bar)
        bank.write(path, made)
        said.append(f"{len(made)} for {role}")
    job.say(", ".join(said))
