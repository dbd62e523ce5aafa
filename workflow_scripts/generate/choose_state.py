"""Which of a generator's states draws, and a copy of it: by the monitor's stop, or by the likeness to tune images."""

from dataclasses import asdict

from lungsynth.ct.files import write_bytes
from lungsynth.features.apply import features_of, read
from lungsynth.generate.choose import IMAGES, by_kid, by_slope
from lungsynth.generate.drawn import draw_bank
from lungsynth.score.metrics.kid import Kid
from lungsynth.sets import bank
from lungsynth.sets.tables import read_csv, write_json
from lungsynth.train.checkpoints import read_verdict
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step


def kids(job):
    """KID to the tune bank of images from every state."""
    drawn_by, device = job.settings("runs"), pick_device(job.settings("device"))
    extractor, _ = read(job.input.extractor, device)
    tune = bank.read(job.input.tune)
    real = features_of(extractor, tune.images, tune.masks)
    grid = job.settings("image"), job.settings("banks")
    table = read_csv(job.input.learnt[0]) if job.input.learnt else None
    for state in job.bar(job.input.states):
        files = [state, *job.input.detail]
        made = draw_bank(drawn_by, files, IMAGES, job.seed, f"{drawn_by[0].name}/choose", *grid, device, table)
        yield Kid().value(real, features_of(extractor, made.images, made.masks))


with step(snakemake) as job:  # noqa: F821
    verdicts = [read_verdict(path) for path in job.input.verdicts]
    slope = job.settings(f"generate.{job.wildcards.target}.use") == "slope"
    choice = by_slope(verdicts) if slope else by_kid(verdicts, list(kids(job)))
    write_bytes(job.output.state, job.input.states[choice.checkpoint].read_bytes())
    write_json(job.output.choice, asdict(choice))
    job.say(f"checkpoint {choice.checkpoint}, {choice.why}")
