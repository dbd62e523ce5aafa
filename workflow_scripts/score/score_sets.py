"""All sets that one extractor sees, scored against the test patients' images."""

import numpy as np

from lungsynth.features.apply import read
from lungsynth.score import record, table
from lungsynth.score.pairs import paired_kid_difference
from lungsynth.score.plan import SUBJECTS
from lungsynth.score.scorer import embedded, metrics_of, patients_of, score_set, source_of
from lungsynth.sets import bank, shard
from lungsynth.sets.tables import write_csv
from lungsynth.study.errors import DataError
from lungsynth.study.seeds import rng
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    settings, name = job.settings("score"), job.wildcards.extractor
    extractor, digest = read(job.input.extractor)
    effort = record.Effort(settings.bootstrap, settings.floors, settings.confidence)
    metrics, source = metrics_of(settings.metrics, job.seed), source_of(extractor, digest)

    def seen(key, file):
        """A set through the extractor; the shards of a stage are one set."""
        paths = getattr(job.input, file)
        if isinstance(paths, list):
            return embedded(key, extractor, np.concatenate([shard.load(path) for path in paths]))
        one = bank.read(paths)
        return embedded(key, extractor, one.images, one.masks, patients_of(one.table))

    scores, differences = [], {}
    for subject in (one for one in SUBJECTS if one.extractor == name):
        test, train = seen(subject.reference, subject.reference), seen(subject.train, subject.train)
        made = {key: seen(key, file) for key, file in subject.sets.items()}
        for key, one in job.bar(made.items(), what=subject.reference):
            # The training images are no copies of themselves: they are scored as a set, not as a source.
            learnt_from = None if key == "real" else train
            try:
                scores += score_set(metrics, one, test, learnt_from, source, job.seed, effort, others=train)
            except DataError as error:
                job.say(f"not scored, {error}")  # too few images are a result
        if "refined" in made:
            pair = (made[key].sample("features") for key in ("refined", "composite"))
            stream, draws = rng(job.seed, "score", "difference"), 5 * settings.bootstrap
            found = paired_kid_difference(test.sample("features"), *pair, stream, draws, settings.confidence)
            differences["refined", "composite", subject.reference, name] = found
    record.write(job.output.scores, scores)
    write_csv(job.output.differences, table.of_differences(differences))
    job.say(f"{len(scores)} scores")
