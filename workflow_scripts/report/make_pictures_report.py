"""report.html of a study of pictures: one page that needs no network."""

from lungsynth.ct.files import write_text
from lungsynth.report.origin import read_records
from lungsynth.report.pictures import report
from lungsynth.workflow.provenance import environment
from lungsynth.workflow.records import FOLDER, study_folder
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    files = {name: paths for name, paths in vars(job.input).items() if name not in ("all", "beside")}
    target = str(job.output.page)
    records = read_records(study_folder(target) / FOLDER)
    runs = job.settings("runs")
    view = {name: value for name, value in job.view.items() if name != "runs"}
    write_text(job.output.page, report(files, view, runs, records, environment(), (job.rule, target)))
    job.say(f"{len(runs)} generators")
