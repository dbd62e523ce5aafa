"""Cubes that a network for candidates in three dimensions learns from, and tunes on: nodules and others, in pairs."""

from lungsynth.segment.apply import load, segment_volume
from lungsynth.segment.inference import found
from lungsynth.segment.inference.planes import scans_of
from lungsynth.segment.volumetric import crops, pairs, pieces
from lungsynth.sets.scans import prepared
from lungsynth.study.models import PHANTOM
from lungsynth.study.seeds import rng
from lungsynth.train.loop import pick_device
from lungsynth.workflow.sources import under_data
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    own, point = job.settings("segment.volumetric"), job.settings("segment.operating_point")
    device, files = pick_device(job.settings("device")), found.files(job.input.detected)
    folder = own.nodules.path and under_data(own.nodules.path)
    trained = load(job.settings("segment.detector"), job.input.state, device, job.settings("segment.inference"))
    made, level = [], pieces.level_of(point)
    for role in ("fit", "tune"):
        others, nodules = [], []
        for one in job.bar(prepared(job.input.cohort, job.input.folders, [role])):
            group = PHANTOM if one.patient.startswith(PHANTOM) else "people"
            for scan in scans_of(one) if one.scan in files else ():
                seen = found.Found(files[one.scan], one).probability.hu
                for every in pieces.thinnings(scan.volume.spacing_mm[0], own.thin_mm):
                    others += pieces.of_scan(scan, seen, every, level, own.per_scan, point, group)
                nodules += pieces.nodules_of_scan(scan, seen, level, point, group)
        for crop in job.bar(crops.read(folder, own.nodules, role)):
            best = float("nan")
            if role == "tune":  # the cut is set on nodules that the detector finds
                seen = segment_volume(trained, crop.volume, pieces.all_of(crop.volume.hu))
                best = pieces.best_on(crop, seen, level, point)
            nodules.append(pieces.nodule_of_crop(crop, "people", best))
            more = list(pieces.of_crop(crop, point.min_diameter_mm, "people"))
            others += pieces.resliced_at_random(more, own.thin_mm, rng(job.seed, "cubes", crop.name))
        stream = rng(job.seed, "cubes", role)
        made.append(pairs.make(others, nodules, own.draws, role, own.network, stream))
        job.say(f"{role}: {len(nodules)} nodules, {len(others)} others, {len(made[-1].table) // 2} pairs")
    pairs.write(job.output.cubes, pairs.join(made))
