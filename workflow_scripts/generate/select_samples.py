"""The generated images that are kept: valid, close to real ones, no copies."""

from dataclasses import replace

from lungsynth.features.apply import features_of, read
from lungsynth.generate.selection import select
from lungsynth.sets import bank
from lungsynth.sets.tables import write_json
from lungsynth.study.seeds import rng
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    target, window_hu = job.wildcards.target, job.settings("image.window_hu")
    extractor, _ = read(job.input.extractor, pick_device(job.settings("device")))
    made, fit, tune = (bank.read(path) for path in (job.input.generated, job.input.fit, job.input.tune))
    features = [features_of(extractor, one.images, one.masks) for one in (made, fit, tune)]
    settings = job.settings(f"generate.{target}.selection")
    draw = rng(job.seed, "select", target)
    chosen = select(made, features[0], fit, features[1], settings, window_hu, target, draw, tune, features[2])
    kept = made.take(chosen.rows)
    similarity = chosen.similarity[chosen.rows].round(6)
    bank.write(job.output.images, replace(kept, table=kept.table.assign(similarity=similarity)))
    write_json(job.output.summary, chosen.summary())
    job.say(f"{chosen.counts}")
