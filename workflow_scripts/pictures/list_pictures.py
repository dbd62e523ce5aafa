"""The list of all pictures with classes and roles, and what was refused."""

from lungsynth.cohort.pictures.listing import list_pictures, refuse_seen
from lungsynth.cohort.pictures.sources import root_of
from lungsynth.sets.tables import read_json, write_csv
from lungsynth.study.models import called
from lungsynth.workflow.sources import under_data
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    settings = job.settings("pictures")
    found = list_pictures(root_of(settings, under_data("")), settings, job.seed, job.bar)
    refuse_seen(found.table, {called(path.parent): read_json(path) for path in job.input.recipes})
    write_csv(job.output.quarantine, found.refused)
    write_csv(job.output.pictures, found.table)
    classes = found.table["class"].value_counts(sort=False).sort_index().to_dict()
    job.say(f"pictures {classes} of {found.table['patient'].nunique()} patients; {len(found.refused)} refused")
