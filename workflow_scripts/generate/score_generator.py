"""How good a generator to be released is, and how near it comes to the images that it learnt from."""

from lungsynth.features import apply
from lungsynth.score import record, table
from lungsynth.score.made import How, score_made
from lungsynth.sets import bank
from lungsynth.sets.tables import write_csv
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    extractor = apply.read(job.input.extractor, pick_device(job.settings("device")))
    effort = record.Effort(*(job.settings(f"score.{key}") for key in ("bootstrap", "floors", "confidence")))
    sets = (bank.read(path) for path in (job.input.generated, job.input.test, job.input.fit))
    scores = score_made(*sets, How(extractor, job.settings("score.metrics"), job.seed, effort))
    write_csv(job.output.scores, table.of_scores(scores))
    job.say(f"{len(scores)} scores")
