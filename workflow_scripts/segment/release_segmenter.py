"""The trained segmenter as others get it: weights, an operating point from the tune patches, the recipe of both."""

import numpy as np

from lungsynth.segment import apply, weights
from lungsynth.segment.release import operating_point, recipe
from lungsynth.segment.scoring import patches
from lungsynth.sets.scans import prepared, usable
from lungsynth.sets.tables import read_csv, write_json
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    segment, marks = job.settings("segment"), read_csv(job.input.marks).sort_values("label")
    segmenter = apply.load(segment, job.input.state)
    scans = [one for one in prepared(job.input.cohort, job.input.folders, ["tune"]) if one.kind == "patch"]
    hu = np.concatenate([one.volume.hu for one in scans])
    masks = np.concatenate([one.nodules > 0 for one in scans])
    mm = np.concatenate([np.full(len(one.volume.hu), one.volume.spacing_mm[1]) for one in scans])
    readers = np.concatenate([marks.loc[marks["scan"] == one.scan, "readers"] for one in scans])

    def probability(images):
        """Of windows, and of whole patches."""
        return apply.segment_patches(segmenter, images, mm)

    size, names = segment.block()["window_px"], range(len(hu))
    dice = patches.scored(probability, hu, masks, names, size, patches.LEVELS, job.seed)
    chosen = operating_point(dice, probability(hu), masks, mm, readers >= 2, segment.keep_nodules)
    weights.write(job.output.weights, apply.bare(segmenter))
    table = usable(job.input.cohort)
    people = {role: sorted(set(table.loc[table["role"] == role, "patient"])) for role in ("fit", "tune")}
    study = job.settings("study")
    write_json(job.output.recipe, recipe(segment, study, job.seed, chosen, people, job.output.weights))
    job.say(f"{chosen}")
