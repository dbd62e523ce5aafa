"""Pools of nodules and normals, the presence map, and groups of nodules."""

import pandas as pd

from lungsynth.compose import presence
from lungsynth.compose.groups import box_mm, draw_groups, draw_pool, placeable
from lungsynth.compose.patches import Patches
from lungsynth.sets import bank
from lungsynth.sets.tables import read_csv, write_parquet
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    settings, least_px = job.settings("compose.groups"), job.settings("compose.min_diameter_px")
    wanted, image = job.settings("compose.normals"), job.settings("image")
    real = bank.read(job.input.nodules)
    large = placeable(real, image.mm_per_px, least_px)
    made = placeable(bank.read(job.input.generated_nodules), image.mm_per_px, least_px)
    nodules = draw_pool(large, made, settings.n_real, settings.n_generated, job.seed, "nodules")
    normals = draw_pool(
        bank.read(job.input.normals),
        bank.read(job.input.generated_normals),
        wanted.n_real,
        wanted.n_generated,
        job.seed,
        "normals",
    )
    # Marks without a mask give no image of a nodule, but they say where nodules are.
    marks = pd.concat([real.table, read_csv(job.input.unmasked)], ignore_index=True)
    where = presence.presence_map(marks, job.settings("compose.presence"))
    patches = Patches(nodules.images, image.mm_per_px, feather_mm=0)
    groups = draw_groups(patches, where, box_mm(normals.images), settings, job.seed)
    bank.write(job.output.nodules, nodules.images)
    bank.write(job.output.normals, normals.images)
    presence.write(job.output.presence, where)
    write_parquet(job.output.groups, groups)
    job.say(f"{groups['group'].nunique()} groups of nodules {nodules.got}, on normals {normals.got}")
