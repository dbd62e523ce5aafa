"""The generated images that are kept: valid, close to real ones, no copies."""

from lungsynth.features.apply import features_of, read
from lungsynth.generate.selection import select
from lungsynth.sets import bank
from lungsynth.sets.tables import write_json
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    layer = job.wildcards.layer
    extractor, _ = read(job.input.extractor)
    made, fit, tune = (bank.read(path) for path in (job.input.generated, job.input.fit, job.input.tune))
    features = [features_of(extractor, one.images, one.masks) for one in (made, fit)]
    keep, settings, window_hu = (
        job.settings(f"generate.{layer}.keep"),
        job.settings("generate.select"),
        job.settings("image").window_hu,
    )
    chosen = select(made, features[0], fit, features[1], keep, settings, window_hu, layer, tune)
    kept = made.take(chosen.rows)
    similarity = chosen.similarity[chosen.rows].round(6)
    bank.write(
        job.output.images,
        bank.ImageSet(kept.images, kept.masks, kept.mm_per_px, kept.table.assign(similarity=similarity)),
    )
    write_json(job.output.summary, chosen.summary())
    job.say(f"{chosen.counts}")
