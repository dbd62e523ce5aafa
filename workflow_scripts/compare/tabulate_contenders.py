"""The comparison as tables, and as one page with pictures."""

from pathlib import Path

from lungsynth.compare import table
from lungsynth.ct.files import write_text
from lungsynth.report.comparison import page
from lungsynth.sets import bank
from lungsynth.sets.tables import read_csv, read_json, write_csv
from lungsynth.study.comparison import SUBJECTS
from lungsynth.workflow.records import seconds_of
from lungsynth.workflow.step import step

TRAINED_BY = {"generate": "train_generator", "refine": "train_refiner"}

with step(snakemake) as job:  # noqa: F821
    target, contenders = job.wildcards.compared, [read_json(path) for path in job.input.facts]
    apart = read_csv(job.input.differences[0]) if job.input.differences else None
    kinds = table.of_kinds(contenders, apart)
    claims = table.claims(target, kinds)
    write_csv(job.output.kinds, kinds)
    write_csv(job.output.scores, table.scores(contenders))
    write_csv(job.output.claims, claims)
    # Wall time is of this machine and this run: on the page, and not in tables that a second run makes again.
    logs = Path(snakemake.log[0]).parent  # noqa: F821
    seconds = {
        one["run"]: sum(
            seconds_of(logs, TRAINED_BY[stage], subject, run)
            for stage, subject, run in one.get("trained", [("generate", SUBJECTS[target], one["run"])])
        )
        for one in contenders
    }
    images = {one["run"]: bank.read(path) for one, path in zip(contenders, job.input.images, strict=True)}
    rates = {path.stem: read_json(path) for path in job.input.rates}
    facts = {"contenders": contenders, "seconds": seconds, "rates": rates, "claims": claims, "apart": apart}
    write_text(job.output.page, page(target, kinds, bank.read(job.input.test), images, **facts))
    job.say(kinds[["kind", "runs", "kid", "kid_sd", "fid", "fid_sd"]].to_string(index=False))
