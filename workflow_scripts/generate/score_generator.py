"""How good a generator to be released is, and how near it comes to the images that it learnt from."""

from lungsynth.features import apply
from lungsynth.score import record, table
from lungsynth.score.samples import patients_of
from lungsynth.score.scorer import embedded, metrics_of, score_set, source_of
from lungsynth.sets import bank
from lungsynth.sets.tables import write_csv
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    extractor, digest = apply.read(job.input.extractor, pick_device(job.settings("device")))
    effort = record.Effort(*(job.settings(f"score.{key}") for key in ("bootstrap", "floors", "confidence")))
    source, names = source_of(extractor, digest), job.settings("score.metrics")

    def seen(name, path):
        """A set through the extractor."""
        one = bank.read(path)
        return embedded(name, extractor, one.images, one.masks, patients_of(one.table))

    made, learnt = seen("generated", job.input.generated), seen("learnt_from", job.input.fit)
    unseen = seen("held_out", job.input.test)
    scores = score_set(metrics_of(names, job.seed), made, unseen, learnt, source, job.seed, effort, others=learnt)
    # What images of others score that no network has seen: the yardstick of every number about copies.
    about_copies = [one for one in metrics_of(names, job.seed) if one.reference == "train"]
    scores += score_set(about_copies, unseen, unseen, learnt, source, job.seed, effort)
    write_csv(job.output.scores, table.of_scores(scores))
    job.say(f"{len(scores)} scores")
