"""Sizes, densities, shapes and places of nodules, and areas of lungs: generated against the test patients'."""

import numpy as np

from lungsynth.score import distributions
from lungsynth.sets import bank
from lungsynth.sets.tables import read_parquet, write_csv
from lungsynth.study.seeds import rng
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    bootstrap, confidence = job.settings("score.bootstrap"), job.settings("score.confidence")
    sets = {
        name: distributions.measures_of(bank.read(getattr(job.input, f"nodules_{name}")))
        for name in ("generated", "selected", "fit", "test")
    }
    plan, groups = read_parquet(job.input.plan), read_parquet(job.input.groups)
    placed = groups[groups["group"].isin(plan["group"])][["u", "v"]].reset_index(drop=True)
    reference = ("nodules_test", sets.pop("test"))
    found = distributions.rows(
        {**sets, "placed": placed}, reference, rng(job.seed, "distributions"), bootstrap, confidence
    )
    write_csv(job.output.distributions, found)

    def areas(name):
        """Lung area of each normal in mm2, and whether it shows two lungs."""
        one = bank.read(getattr(job.input, f"normals_{name}"))
        both = np.logical_and(*((one.masks == side).any((1, 2)) for side in (1, 2)))
        return np.count_nonzero(one.masks, axis=(1, 2)) * one.mm_per_px**2, both

    lungs = {name: areas(name) for name in ("generated", "selected", "fit")}
    table = distributions.lung_shape(lungs, areas("test")[0], level=confidence)
    write_csv(job.output.lungs, table)
    job.say(found[found["measure"] == "diameter_mm"].to_string(index=False))
