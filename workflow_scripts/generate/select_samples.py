"""The generated images that are kept: valid, close to real ones, no copies."""

from lungsynth.features.apply import read
from lungsynth.generate.selected import selected
from lungsynth.sets import bank
from lungsynth.sets.parts import learnt_by
from lungsynth.sets.tables import write_json
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    target, window_hu = job.wildcards.target, job.settings("image.window_hu")
    extractor, _ = read(job.input.extractor, pick_device(job.settings("device")))
    made, fit, tune = (bank.read(path) for path in (job.input.generated, job.input.fit, job.input.tune))
    fit = learnt_by(fit, job.settings("runs"), job.seed) if "runs" in job.view else fit
    settings = job.settings(f"generate.{target}.selection")
    kept, chosen = selected(made, fit, tune, extractor, settings, window_hu, target, job.seed)
    bank.write(job.output.images, kept)
    write_json(job.output.summary, chosen.summary())
    job.say(f"{chosen.counts}")
