"""The images of one shard that the gate kept, and their lesions as they are after refinement."""

import numpy as np

from lungsynth.release.manifest import measure_shard
from lungsynth.sets import shard
from lungsynth.sets.tables import read_csv, read_parquet, write_parquet
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    masks, rows = shard.load(job.input.masks), read_parquet(job.input.rows)
    gate, normals = read_csv(job.input.gate), read_csv(job.input.normals)["id"].tolist()
    kept = gate.loc[gate["keep"].astype(bool), "image"].tolist()
    plan = read_parquet(job.input.plan, only={"rank": np.unique(rows["composite"])})
    mm_per_px = job.settings("image").mm_per_px
    images, lesions = measure_shard(shard.load(job.input.images), masks, rows, job.bar(kept), plan, normals, mm_per_px)
    write_parquet(job.output.images, images)
    write_parquet(job.output.lesions, lesions)
    job.say(f"{len(images)} images with {len(lesions)} lesions released, {len(gate) - len(images)} left out")
