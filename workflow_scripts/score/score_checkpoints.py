"""FID and KID of every state of the generators, against the images learnt from and against tune ones; some of each."""

from dataclasses import replace

import pandas as pd

from lungsynth.features.apply import features_of, read
from lungsynth.generate.drawn import draw_bank
from lungsynth.score.metrics.fid import Fid
from lungsynth.score.metrics.kid import Kid
from lungsynth.sets import bank
from lungsynth.sets.parts import part_of
from lungsynth.sets.tables import write_csv
from lungsynth.train.checkpoints import read_verdict
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    image, banks, wanted = (job.settings(name) for name in ("image", "banks", "score.checkpoints"))
    device, (fit, tune) = pick_device(job.settings("device")), map(bank.read, (job.input.fit, job.input.tune))
    extractor, _ = read(job.input.extractor, device)
    states, rows, shown = iter(job.input.states), [], []
    for run in job.settings("runs"):
        parts = {"train": part_of(fit, run.subset, job.seed), "tune": part_of(tune, run.subset, job.seed)}
        seen = {name: features_of(extractor, one.images) for name, one in parts.items()}
        trained = run.training.steps > 0
        for k in job.bar(range(run.training.checkpoints if trained else 1), what=run.name):
            state = next(states)
            made = draw_bank([run], [state], wanted.count, job.seed, run.name, image, banks, device, fit.table)
            steps = read_verdict(state.with_suffix(".json")).step if trained else 0
            features = features_of(extractor, made.images)
            row = {"run": run.name, "checkpoint": k, "step": steps, "images": steps * run.training.batch}
            for metric in (Fid(), Kid()):
                row |= {f"{metric.name}_{name}": metric.value(one, features) for name, one in seen.items()}
            rows.append(row)
            some = made.take(range(min(wanted.shown, len(made))))
            shown.append(replace(some, table=some.table.assign(run=run.name, checkpoint=k)))
    write_csv(job.output.table, pd.DataFrame(rows))
    bank.write(job.output.pictures, bank.concatenate(shown))
    job.say(f"{len(rows)} states")
