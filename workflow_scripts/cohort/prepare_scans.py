"""A batch of scans: HU, lungs, nodule labels, tables and pictures."""

from lungsynth.cohort.listing import open_reader
from lungsynth.cohort.prepare import prepare_batch
from lungsynth.ct.files import whole_folder
from lungsynth.sets.tables import read_csv
from lungsynth.workflow.sources import under_data
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    data_root = under_data("")
    phantom = job.input.scans.parent / "phantom"
    readers = [open_reader(source, data_root, phantom) for source in job.settings("cohort.sources")]
    listed = read_csv(job.input.scans)
    rows = listed[listed["batch"] == int(job.wildcards.batch)].to_dict("records")
    with whole_folder(job.output.folder) as folder:
        table = prepare_batch(job.bar(rows), readers, folder)
    job.say(f"{(table['verdict'] == 'ok').sum()} of {len(table)} scans are usable")
