"""The list of all scans with roles and batches, from names and headers alone."""

from lungsynth.cohort.listing import list_scans, open_reader
from lungsynth.sets.tables import write_csv
from lungsynth.workflow.sources import under_data
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    sources, data_root = job.settings("cohort.sources"), under_data("")
    phantom = job.output.scans.parent / "phantom"
    readers = [open_reader(source, data_root, phantom) for source in sources]
    split, batches = job.settings("cohort.split"), job.settings("cohort.batches")
    scans, unread = list_scans(readers, sources, split, batches, job.seed)
    write_csv(job.output.unread, unread)
    write_csv(job.output.scans, scans)
    job.say(f"{len(scans)} scans of {scans['patient'].nunique()} patients; {len(unread)} files skipped")
