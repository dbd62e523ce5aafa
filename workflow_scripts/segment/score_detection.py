"""Detection on the test patients: the detector beside a baseline, by LUNA16's rules, with accuracy and Dice."""

import pandas as pd

from lungsynth.ct import volume as volumes
from lungsynth.segment.inference import baseline, found
from lungsynth.segment.scoring import detection_table as rows
from lungsynth.segment.scoring.detection import draw_weights, match
from lungsynth.segment.scoring.threshold import OperatingPoint
from lungsynth.sets.scans import prepared
from lungsynth.sets.tables import concatenate, read_csv, read_json, write_csv
from lungsynth.study.seeds import rng
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    point = job.settings("segment.operating_point")
    chosen = read_json(job.input.threshold)
    points = {name: OperatingPoint(**chosen[name]) for name in ("segmenter", "baseline")}
    marks = read_csv(job.input.marks)
    tables = {"segmenter": concatenate(map(read_csv, job.input.candidates))}
    files = found.files(job.input.detected)
    masks = {path.name.removesuffix(".nii.gz"): path for folder in job.input.masks for path in folder.iterdir()}
    names, patients, blobs, dice, near = [], [], [], [], []
    for scan in job.bar(s for s in prepared(job.input.cohort, job.input.folders, ["test"]) if s.kind == "volume"):
        names.append(scan.scan)
        patients.append(scan.patient)
        radius_mm = points["baseline"].threshold
        blob = baseline.find(scan.scan, scan.volume, scan.lungs, radius_mm, point.min_diameter_mm)
        blobs.append(scan.with_boxes(*blob))
        if scan.scan in masks:
            overlap = rows.nodule_dice(scan.nodules, volumes.upright(volumes.read(masks[scan.scan])).hu)
            dice += [{"scan": scan.scan, "dice": value} for value in overlap.values()]
        near.append((scan.scan, found.Found(files[scan.scan], scan).probability))
    tables["baseline"] = pd.concat(blobs, ignore_index=True)
    weights = draw_weights(patients, job.settings("score.bootstrap"), rng(job.seed, "detection", "draws"))
    draws = rows.Draws(weights, job.settings("score.confidence"))
    patches = rows.patch_list(marks, tables["baseline"], names, rng(job.seed, "detection", "patches"))
    table = [rows.detection_row(name, tables[name], marks, names, points[name], draws) for name in points]
    table[0] |= rows.voxel_columns(patches, dict(near), pd.DataFrame(dice, columns=["scan", "dice"]), names, draws)
    curves = [rows.froc_table(name, match(tables[name], marks, names), draws) for name in points]
    write_csv(job.output.detection, pd.DataFrame(table))
    write_csv(job.output.froc, pd.concat(curves, ignore_index=True))
    job.say(f"{table}")
