"""Composites of which nothing is real, by networks that a comparison has trained from nothing."""

import numpy as np
import pandas as pd

from lungsynth.compare.contender import spent_by
from lungsynth.compose.at_once import compose
from lungsynth.features import apply
from lungsynth.generate.drawn import draw_bank
from lungsynth.generate.selected import selected
from lungsynth.sets import bank, shard
from lungsynth.sets.tables import read_csv, read_json, write_json
from lungsynth.study.errors import DataError, TrainingError
from lungsynth.train.loop import pick_device
from lungsynth.workflow.networks import sides
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    image, banks, device = job.settings("image"), job.settings("banks"), pick_device(job.settings("device"))
    runs, count = job.settings("runs"), job.settings("compare.lungs.count")
    verdicts = [read_json(path) for path in job.input.verdicts]
    targets = ("nodules", "normals")
    real = {one: [bank.read(getattr(job.input, f"{one}_{role}")) for role in ("fit", "tune")] for one in targets}
    learnt = {target: sets[0].table for target, sets in real.items()}

    def draw(target):
        """What the networks of a target draw."""
        own, n = [run for run in runs if run.target == target], job.settings(f"generate.{target}.sampling").count
        how = n, job.seed, own[0].name, image, banks, device, learnt[target]
        return draw_bank(own, getattr(job.input, target), *how)

    def keep(target, drawn):
        """What is of use of it."""
        extractor, _ = apply.read(getattr(job.input, f"{target}_seen_by"), device)
        rules, window_hu = job.settings(f"generate.{target}.selection"), image.window_hu
        return selected(drawn, *real[target], extractor, rules, window_hu, target, job.seed)[0]

    marks, normals = pd.concat([learnt["nodules"], read_csv(job.input.unmasked)], ignore_index=True), draw("normals")
    notes = [f"{one['name']}: {one['verdict']}" for one in verdicts if one["spoilt"]]
    try:
        pools = keep("nodules", draw("nodules")), keep("normals", normals)
        made = compose(*pools, marks, job.settings("compose"), count, job.seed)
    except (DataError, TrainingError) as error:  # networks that have not learnt enough are a result
        notes.append(f"slices as they are drawn, no nodule is laid on them: {error}")
        made = normals.images[:count], np.zeros(normals.images[:count].shape, np.uint8)
    for path, array in zip((job.output.images, job.output.masks), made, strict=True):
        shard.save(path, array)
    write_json(job.output.facts, {"note": "; ".join(notes), "spent": spent_by(runs, sides(runs, banks, image, learnt))})
    job.say("; ".join([f"{len(made[0])} images", *notes]))
