"""The network that judges candidates in three dimensions as others get it: weights, recipe with its cuts, scores."""

from lungsynth.ct.files import sha256
from lungsynth.segment.scoring import threshold
from lungsynth.segment.volumetric import pairs, release
from lungsynth.segment.volumetric.crops import people
from lungsynth.segment.volumetric.judge import load_state
from lungsynth.segment.volumetric.network import judged
from lungsynth.sets.scans import usable
from lungsynth.sets.tables import write_csv, write_json
from lungsynth.train import weights
from lungsynth.train.loop import pick_device
from lungsynth.workflow.sources import under_data
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    own, cubes = job.settings("segment.volumetric"), pairs.read(job.input.cubes)
    judge = load_state(own, job.input.state, pick_device(job.settings("device")))
    tune = cubes.take((cubes.table["role"] == "tune").to_numpy())
    opinion = judged(judge.module, tune.cubes, own.network)
    cuts = release.cuts(tune.table, opinion, own)
    point = threshold.shipped(job.input.recipe)
    least = point.probability if point else 0.0
    weights.write(job.output.weights, {"judge": judge.module})
    learnt, folder = usable(job.input.cohort, ["fit", "tune"]), own.nodules.path and under_data(own.nodules.path)
    about = release.recipe(
        own, job.settings("run"), job.settings("study"), cuts, cubes.table, people(folder, own.nodules), learnt
    )
    write_json(job.output.recipe, about | {"sha256": sha256(job.output.weights)})
    table = release.scores(tune.table, opinion, cuts, least)
    write_csv(job.output.scores, table)
    job.say(f"cuts: {cuts}; of what the detector shows from {least:.4f} up:")
    job.say(table.to_string(index=False, float_format="%.3f"))
