"""The threshold at which the segmenter judges what refinement did, from real slices of the tune patients."""

import numpy as np

from lungsynth.ct.lungs import segment_slice
from lungsynth.refine.gate import operating_point
from lungsynth.segment.apply import load, segment_images
from lungsynth.sets import bank
from lungsynth.sets.tables import write_json
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    device = pick_device(job.settings("device"))
    trained = load(job.settings("segment.detector"), job.input.state, device, job.settings("segment.inference"))
    lesions, normals = bank.read(job.input.lesions), bank.read(job.input.normals)
    mm, lungs = lesions.mm_per_px, np.zeros(lesions.masks.shape, np.uint8)
    for k, image in enumerate(lesions.images):
        lungs[k] = segment_slice(image, mm)
    seen, empty = (
        segment_images(trained, images, mm, where)
        for images, where in ((lesions.images, lungs), (normals.images, normals.masks))
    )
    point = operating_point(seen, lesions.masks, empty, normals.masks, mm, job.settings("refine.gate"))
    write_json(job.output.point, point)
    job.say(f"{point}")
