"""The trained segmenter as others get it: weights, an operating point from tune patients, the recipe of both."""

import numpy as np

from lungsynth.ct.files import sha256
from lungsynth.segment import apply
from lungsynth.segment.release import operating_point, recipe
from lungsynth.segment.scoring import patches
from lungsynth.segment.scoring.threshold import OperatingPoint
from lungsynth.sets.scans import prepared, usable
from lungsynth.sets.tables import read_csv, read_json, write_json
from lungsynth.train import weights
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    segment, marks = job.settings("segment"), read_csv(job.input.marks).sort_values("label")
    trained = apply.load(segment.detector, job.input.state, pick_device(job.settings("device")), segment.inference)
    learnt = usable(job.input.cohort, ["fit", "tune"])

    def chosen_on_patches():
        """The operating point of a study whose tune patients are known by nodule patches."""
        scans = [one for one in prepared(job.input.cohort, job.input.folders, ["tune"]) if one.kind == "patch"]
        hu = np.concatenate([one.volume.hu for one in scans])
        masks = np.concatenate([one.nodules > 0 for one in scans])
        mm = np.concatenate([np.full(len(one.volume.hu), one.volume.spacing_mm[1]) for one in scans])
        readers = np.concatenate([marks.loc[marks["scan"] == one.scan, "readers"] for one in scans])

        def probability(images):
            """Of windows, and of whole patches."""
            return apply.segment_images(trained, images, mm)

        size, names = segment.patches.window_px, range(len(hu))
        dice = patches.scored(probability, hu, masks, names, size, patches.LEVELS, job.seed)
        return operating_point(dice, probability(hu), masks, mm, readers >= 2, segment.patches.keep_nodules)

    on_patches = (learnt["role"].eq("tune") & learnt["kind"].eq("patch")).any()
    chosen = chosen_on_patches() if on_patches else OperatingPoint(**read_json(job.input.point)["segmenter"])
    weights.write(job.output.weights, trained.modules)
    earlier, digest = [read_json(path) for path in job.input.recipes], sha256(job.output.weights)
    about = recipe(segment, job.settings("run"), job.settings("study"), chosen, learnt, digest, earlier)
    write_json(job.output.recipe, about)
    job.say(f"{chosen}")
