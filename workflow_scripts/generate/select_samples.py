"""The generated images that are kept: valid, close to real ones, no copies."""

from lungsynth.features.apply import read
from lungsynth.generate.selected import selected
from lungsynth.sets import bank
from lungsynth.sets.tables import write_json
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    target, window_hu = job.wildcards.target, job.settings("image.window_hu")
    extractor, _ = read(job.input.extractor, pick_device(job.settings("device")))
    sets = (bank.read(path) for path in (job.input.generated, job.input.fit, job.input.tune))
    settings = job.settings(f"generate.{target}.selection")
    kept, chosen = selected(*sets, extractor, settings, window_hu, target, job.seed)
    bank.write(job.output.images, kept)
    write_json(job.output.summary, chosen.summary())
    job.say(f"{chosen.counts}")
