"""report.html: the study on one page that needs no network."""

from lungsynth.ct.files import write_text
from lungsynth.report.assemble import assemble
from lungsynth.report.origin import read_records
from lungsynth.report.page import page
from lungsynth.workflow.provenance import environment
from lungsynth.workflow.records import FOLDER, study_folder
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    files = {name: paths for name, paths in vars(job.input).items() if name not in ("all", "beside")}
    target = str(job.output.page)
    records = read_records(study_folder(target) / FOLDER)
    data = assemble(files, job.view, records, environment(), (job.rule, target))
    write_text(job.output.page, page(data))
    job.say(f"{len(data.cards)} key numbers, {len(data.warnings)} cautions")
