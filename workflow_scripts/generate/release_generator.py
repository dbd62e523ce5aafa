"""A trained generator as others get it: weights of half precision, without critics, and their recipe."""

from lungsynth.ct.files import sha256
from lungsynth.generate.labels import how_many, labelled
from lungsynth.generate.release import recipe
from lungsynth.generate.trained import shape_of, to_release
from lungsynth.sets.grid import grid_of
from lungsynth.sets.tables import read_csv, read_json, write_json
from lungsynth.train import weights
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    runs = job.settings("runs")
    grid = grid_of(job.settings("banks"), job.settings("image"), job.wildcards.target)
    tables = [read_csv(path) for path in (job.input.learnt, job.input.cohort)]
    shape = shape_of(runs[0], grid["size_px"], job.settings("image").channels)
    drawing = to_release(runs, job.input.states, shape, how_many(labelled(runs[0], tables[0])))
    weights.write(job.output.weights, drawing, half=True)
    earlier = [read_json(path) for path in job.input.recipes]
    about = recipe(runs, job.settings("study"), grid, *tables, sha256(job.output.weights), earlier)
    write_json(job.output.recipe, about)
    job.say(f"{', '.join(drawing)}; {about['images']} images of {len(about['patients']['fit'])} patients")
