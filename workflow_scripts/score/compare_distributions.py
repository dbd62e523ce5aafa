"""Sizes, densities, shapes and places of nodules, and areas of lungs: generated against the test patients'."""

import pandas as pd

from lungsynth.score import distributions
from lungsynth.score.plan import COMPARED_ROLES
from lungsynth.sets import bank
from lungsynth.sets.tables import read_parquet, write_csv
from lungsynth.study.seeds import rng
from lungsynth.workflow.step import step


def measured(target, measure):
    """A table of measures for each set of a target."""
    return {role: measure(bank.read(getattr(job.input, f"{target}_{role}"))) for role in COMPARED_ROLES}


with step(snakemake) as job:  # noqa: F821
    confidence = job.settings("score.confidence")
    how = rng(job.seed, "distributions"), job.settings("score.bootstrap"), confidence
    nodules, normals = measured("nodules", distributions.measures_of), measured("normals", distributions.lungs_of)
    plan, groups = read_parquet(job.input.plan), read_parquet(job.input.groups)
    nodules["placed"] = groups[groups["group"].isin(plan["group"])][["u", "v"]].reset_index(drop=True)
    write_csv(job.output.measures, distributions.measured(nodules, normals))
    real, lungs = nodules.pop("test"), normals.pop("test")
    found = pd.concat(
        [
            distributions.rows(nodules, ("nodules_test", real), *how),
            distributions.rows(normals, ("normals_test", lungs), *how),
            distributions.rows({"selected": nodules["selected"]}, ("nodules_fit", nodules["fit"]), *how),
        ],
        ignore_index=True,
    )
    write_csv(job.output.distributions, found)
    table = distributions.lung_shape(normals, lungs["lung_area_mm2"].to_numpy(), level=confidence)
    write_csv(job.output.lungs, table)
    job.say(found[found["measure"] == "diameter_mm"].to_string(index=False))
