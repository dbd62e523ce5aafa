"""The cohort as a whole: verdicts, roles, quarantine, and a page with a picture of every scan."""

from lungsynth.cohort.conclude import conclude
from lungsynth.cohort.qc import qc_page
from lungsynth.ct.files import write_text
from lungsynth.sets.tables import read_csv, read_json, write_csv
from lungsynth.study.models import called
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    split, least = job.settings("cohort.split"), job.settings("cohort.min_patients")
    listed, unread = read_csv(job.input.scans), read_csv(job.input.unread)
    recipes = {called(path.parent): read_json(path) for path in job.input.recipes}
    how = job.settings("cohort.quarantine"), recipes, job.settings("cohort.seen")
    cohort = conclude(listed, unread, job.input.folders, split, least, *how)
    pictures = {path.stem: path.read_bytes() for folder in job.input.folders for path in sorted(folder.glob("*.png"))}
    write_csv(job.output.cohort, cohort.scans)
    write_csv(job.output.marks, cohort.marks)
    write_csv(job.output.quarantine, cohort.quarantine)
    title = f"Cohort of the study {job.settings('study')}"
    write_text(job.output.qc, qc_page(cohort.every, pictures, title, unread))
    roles = cohort.scans.groupby("role")["patient"].nunique().to_dict()
    job.say(f"usable patients {roles}, marks {len(cohort.marks)}, quarantined {len(cohort.quarantine)}")
