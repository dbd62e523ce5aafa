"""All sets that one extractor sees, scored against the test patients' images."""

from lungsynth.features import apply, inception
from lungsynth.score import record, table
from lungsynth.score.pairs import paired_kid_difference
from lungsynth.score.plan import INCEPTION, seen_by
from lungsynth.score.samples import patients_of
from lungsynth.score.scorer import embedded, metrics_of, score_subject, source_of
from lungsynth.sets import bank, shard
from lungsynth.sets.parts import learnt_by
from lungsynth.sets.tables import write_csv
from lungsynth.study.seeds import rng
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

LEARNT = "pictures_fit"
"""The bank of which generators may learn from a part."""

with step(snakemake) as job:  # noqa: F821
    name, device = job.wildcards.extractor, pick_device(job.settings("device"))
    if name == INCEPTION:
        image = job.settings("image")
        grey = (image.window_hu, image.channels) if job.settings("chain") == "pictures" else ()
        extractor, digest = inception.read(job.input.extractor, job.settings("score.inception").sha256, device, *grey)
    else:
        extractor, digest = apply.read(job.input.extractor, device)
    effort = record.Effort(*(job.settings(f"score.{key}") for key in ("bootstrap", "floors", "confidence")))
    how = metrics_of(job.settings("score.metrics"), job.seed), source_of(extractor, digest), job.seed, effort

    def seen(key, file):
        """A set through the extractor; the shards of a stage are one set."""
        paths = getattr(job.input, file)
        if isinstance(paths, list):
            stream = rng(job.seed, "score", "images")  # the same for all stages: their images stay pairs
            return embedded(key, extractor, shard.sample(paths, job.settings("score.images"), stream))
        one = bank.read(paths)
        if file == LEARNT:
            one = learnt_by(one, job.settings("runs"), job.seed)
        return embedded(key, extractor, one.images, one.masks, patients_of(one.table))

    scores, differences = [], {}
    for subject in job.bar(seen_by(name, job.settings("chain"))):
        found, sets, refused = score_subject(subject, seen, *how)
        scores += found
        for line in refused:
            job.say(line)
        if "refined" in sets:
            trio = (sets[key].sample("features") for key in ("reference", "refined", "composite"))
            stream, draws = rng(job.seed, "score", "difference"), 5 * effort.draws
            found = paired_kid_difference(*trio, stream, draws, effort.confidence)
            differences["refined", "composite", subject.reference, name] = found
    record.write(job.output.scores, scores)
    write_csv(job.output.differences, table.of_differences(differences))
    job.say(f"{len(scores)} scores")
