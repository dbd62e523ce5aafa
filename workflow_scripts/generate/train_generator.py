"""One checkpoint of a generator, of nodules or of normal slices, or of a detail network."""

from lungsynth.generate.data import bank_source, to_tensor
from lungsynth.generate.detail.kind import crop_source
from lungsynth.generate.detail.network import shrink
from lungsynth.generate.labels import labelled
from lungsynth.generate.trained import is_detail, trainable
from lungsynth.sets import bank
from lungsynth.workflow.step import step
from lungsynth.workflow.training import run_training

with step(snakemake) as job:  # noqa: F821
    run, nodules = job.settings("run"), job.wildcards.target == "nodules"
    images = bank.read(job.input.bank)
    known = labelled(run, images.table)
    real = to_tensor(images, job.settings("image.window_hu"), with_mask=nodules)
    if known is not None:
        job.say(known.words)
    if is_detail(run):
        settings = run.settings
        data = crop_source(real, run.training.batch, settings["objective"]["crop_px"], settings["factor"])
    else:
        data = bank_source(shrink(real, run.factor), run.training.batch, turn=nodules, known=known)
    run_training(job, run, trainable(run), data)
