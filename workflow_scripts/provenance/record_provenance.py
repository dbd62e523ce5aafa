"""The ledger: what made every file of the study."""

from lungsynth.sets.tables import write_json
from lungsynth.workflow.provenance import gather
from lungsynth.workflow.records import asked
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    ledger = gather(job.output.ledger.parent, asked(job, list(map(str, job.input.all)), [str(job.output.ledger)]))
    write_json(job.output.ledger, ledger)
    job.say(f"{len(ledger['files'])} files in the ledger")
