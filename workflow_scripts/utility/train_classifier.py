"""One classifier, and what it says of test images."""

import sys

from lungsynth.sets import bank
from lungsynth.sets.tables import write_csv, write_json
from lungsynth.utility.classify.data import sets_of
from lungsynth.utility.classify.training import train_classifier
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    run = job.settings("run")
    images = [bank.read(path) for path in (job.input.fit, job.input.generated, job.input.test)]
    sets = sets_of(*images, run.labels, job.settings("image.window_hu"))
    how = job.settings("utility.classify.alter"), job.settings("device")
    said, facts = train_classifier(run, sets, *how, job.output.losses, sys.stderr)
    write_csv(job.output.predictions, said)
    write_json(job.output.facts, facts)
    for name, rows in said.groupby("set"):
        right = (rows["truth"] == rows["predicted"]).mean()
        job.say(f"{run.name}: {right:.3f} of {len(rows)} right ({name}); it learnt from {facts['learnt']}")
