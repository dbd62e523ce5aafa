"""One checkpoint of a generator, of nodules or of normal slices, or of a detail network."""

from lungsynth.generate.collapse import alarm
from lungsynth.generate.data import bank_source, to_tensor
from lungsynth.generate.detail.kind import crop_source
from lungsynth.generate.detail.network import shrink
from lungsynth.generate.labels import labelled
from lungsynth.generate.trained import is_detail, trainable
from lungsynth.sets import bank
from lungsynth.sets.parts import part_of
from lungsynth.sets.tables import read_json
from lungsynth.study.comparison import at_rate
from lungsynth.workflow.step import step
from lungsynth.workflow.training import run_training

with step(snakemake) as job:  # noqa: F821
    run, nodules = job.settings("run"), job.wildcards.target == "nodules"
    turn = "square" if nodules else "mirror" if job.view.get("pictures.mirror") else "none"
    if job.input.rate:
        run = at_rate(run, read_json(job.input.rate[0])["factor"])
    images = part_of(bank.read(job.input.bank), run.subset, job.seed)
    known = labelled(run, images.table)
    real = to_tensor(images, job.settings("image.window_hu"), with_mask=nodules)
    if known is not None:
        job.say(known.words)
    kind, spread = trainable(run), None
    if is_detail(run):
        settings = run.settings
        data = crop_source(real, run.training.batch, settings["objective"]["crop_px"], settings["factor"])
    else:
        data = bank_source(shrink(real, run.factor), run.training.batch, turn=turn, known=known)
        spread = alarm(kind, data.real, run.seed)
    run_training(job, run, kind, data, spread)
