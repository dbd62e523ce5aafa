"""A lot of the chain's composites beside generators that draw whole slices."""

import numpy as np
import pandas as pd

from lungsynth.compare import composites, contender
from lungsynth.features import apply
from lungsynth.score.made import How, scores_of_made
from lungsynth.score.record import Effort
from lungsynth.sets import bank, shard
from lungsynth.sets.tables import read_csv, read_json, read_parquet, write_json
from lungsynth.study.errors import DataError
from lungsynth.study.seeds import rng
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    lot, most = composites.LOTS[job.wildcards.lot], job.settings("compare.lungs.count")
    stage = [shard.load(path) for path in job.input.stage]
    about = read_json(job.input.about[0]) if lot.from_nothing else {"note": "", "spent": {}}
    if lot.from_nothing:
        table = composites.nothing_real(len(stage[0]))
    else:
        pools = (read_csv(path) for path in (job.input.normals, job.input.nodules))
        table = composites.origins([read_parquet(path) for path in job.input.rows], *pools)
    places, real_backgrounds = composites.sample(table, lot, most, rng(job.seed, "compare", "composites"))
    images = np.stack([stage[k][row] for k, row in places])
    real = [bank.read(path) for path in (job.input.lesions_test, job.input.lesions_fit)]
    rows = pd.DataFrame({"id": [f"{k}-{row}" for k, row in places]})
    made = bank.ImageSet(images, np.zeros(images.shape, np.uint8), real[0].mm_per_px, rows)
    effort = Effort(*(job.settings(f"score.{key}") for key in ("bootstrap", "floors", "confidence")))
    extractor = apply.read(job.input.extractor, pick_device(job.settings("device")))
    how = How(extractor, job.settings("score.metrics"), job.seed, effort)
    try:
        scores, wrong = scores_of_made(made, *real, how, job.settings("score.anatomy").slices), ""
    except DataError as error:  # so few of the lot that no number can be made of them
        scores, wrong = [], str(error)
    bank.write(job.output.images, made)
    note, named = about["note"] or wrong, (lot.title, job.wildcards.lot)
    facts = contender.facts_of_composites(*named, real_backgrounds, scores, note, about["spent"])
    write_json(job.output.facts, facts)
    job.say(f"{lot.title}: {len(made)} images, {real_backgrounds:.0%} on real slices")
