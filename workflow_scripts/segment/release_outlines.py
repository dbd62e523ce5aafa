"""The network that outlines candidates in space as others get it: weights, recipe, scores."""

from lungsynth.ct.files import sha256
from lungsynth.segment.outlines import bodies, release
from lungsynth.segment.outlines.outline import load_state
from lungsynth.segment.volumetric.crops import people
from lungsynth.sets.scans import usable
from lungsynth.sets.tables import read_csv, write_csv, write_json
from lungsynth.train import weights
from lungsynth.train.loop import pick_device
from lungsynth.workflow.sources import under_data
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    own, nodules = job.settings("segment.outlines"), job.settings("segment.volumetric.nodules")
    outliner = load_state(own, job.input.state, pick_device(job.settings("device")))
    weights.write(job.output.weights, {"outlines": outliner.module})
    table, learnt = read_csv(job.input.rows[0]), usable(job.input.cohort, ["fit", "tune"])
    whom = people(nodules.path and under_data(nodules.path), nodules)
    about = release.recipe(own, nodules, job.settings("run"), job.settings("study"), table, whom, learnt)
    write_json(job.output.recipe, about | {"sha256": sha256(job.output.weights)})
    scores = release.scores(outliner, bodies.read(job.input.bodies, "tune"))
    write_csv(job.output.scores, scores)
    job.say(scores.to_string(index=False, float_format="%.3f"))
