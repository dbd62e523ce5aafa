"""Nodules that a network of outlines learns from, and tunes on, with what the detector makes of each."""

from lungsynth.segment.apply import load, segment_volume
from lungsynth.segment.inference import candidates, found
from lungsynth.segment.inference.planes import scans_of
from lungsynth.segment.outlines import bodies
from lungsynth.segment.scoring import threshold
from lungsynth.segment.volumetric import crops, pieces
from lungsynth.sets.scans import prepared
from lungsynth.study.seeds import rng
from lungsynth.train.loop import pick_device
from lungsynth.workflow.sources import under_data
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    nodules, point = job.settings("segment.volumetric.nodules"), job.settings("segment.operating_point")
    network, files = job.settings("segment.outlines.network"), found.files(job.input.detected)
    device, folder = pick_device(job.settings("device")), nodules.path and under_data(nodules.path)
    trained = load(job.settings("segment.detector"), job.input.state, device, job.settings("segment.inference"))
    shipped = threshold.shipped(job.input.recipe)
    level = shipped.threshold if shipped and point.threshold is None else pieces.level_of(point)
    made = {"fit": [], "tune": []}

    def find(volume):
        """What the detector makes of a crop, all of which may be lung: its probability, and labels of candidates."""
        lungs = pieces.all_of(volume.hu)
        probability = segment_volume(trained, volume, lungs)
        return probability, candidates.find("crop", probability, volume, lungs, level, point)[1]

    for one in job.bar(prepared(job.input.cohort, job.input.folders, made)):
        for scan in scans_of(one) if one.scan in files and one.nodules.any() else ():
            seen = found.Found(files[one.scan], one)
            _, labels = seen.candidates(level, point)
            made[one.role] += bodies.of_scan(scan, seen.probability.hu, labels, network)
    for role, some in made.items():
        for crop in job.bar(crops.read(folder, nodules, role)):
            body = bodies.of_crop(crop, find)
            if body is None:
                continue
            some.append(body)
            if role == "fit":
                some += bodies.invented(body, find, rng(job.seed, "bodies", crop.name))
        job.say(f"{role}: {len(some)} nodules, {sum(body.how != 'found' for body in some)} of them invented")
    bodies.write(job.output.bodies, made)
