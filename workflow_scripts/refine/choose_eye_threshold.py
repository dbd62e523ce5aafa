"""The threshold at which a segmenter judges what refinement did, from real slices of the tune patients."""

import numpy as np

from lungsynth.ct.lungs import segment_slice
from lungsynth.refine.gate import operating_point
from lungsynth.segment.apply import load, seen_through, segment_images
from lungsynth.sets import bank
from lungsynth.sets.tables import write_json
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    device = pick_device(job.settings("device"))
    detector = seen_through(job.input.recipe, job.settings("segment.detector"))
    trained = load(detector, job.input.state, device, job.settings("segment.inference"))
    gate = job.settings("refine.gate")
    if job.wildcards.eye == "judge":  # the gate's own threshold, where the study fixes one, is of another segmenter
        gate = gate.model_copy(update={"threshold": None})
    lesions, normals = bank.read(job.input.lesions), bank.read(job.input.normals)
    mm, lungs = lesions.mm_per_px, np.zeros(lesions.masks.shape, np.uint8)
    for k, image in enumerate(lesions.images):
        lungs[k] = segment_slice(image, mm)
    seen, empty = (
        segment_images(trained, images, mm, where)
        for images, where in ((lesions.images, lungs), (normals.images, normals.masks))
    )
    point = operating_point(seen, lesions.masks, empty, normals.masks, mm, gate)
    write_json(job.output.point, point)
    job.say(f"{point}")
