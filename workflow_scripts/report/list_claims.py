"""What three papers on pictures claim, beside what this study finds."""

from lungsynth.compare.ledger import rows
from lungsynth.sets.tables import read_csv, read_json, write_csv
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    verdicts, losses = map(read_json, job.input.verdicts), map(read_csv, job.input.losses)
    classifiers = read_csv(job.input.classifiers[0]) if job.input.classifiers else None
    trained = [run for run in job.settings("runs") if run.training.steps]
    claims = rows(trained, read_csv(job.input.networks), list(verdicts), list(losses), classifiers)
    write_csv(job.output.claims, claims)
    job.say(f"{len(claims)} claims, {(claims['ours'] != '').sum()} with a number of ours")
