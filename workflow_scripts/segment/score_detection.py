"""Detection on the test patients: the segmenter beside a baseline, by LUNA16's rules, with accuracy and Dice."""

import pandas as pd

from lungsynth.ct import volume as volumes
from lungsynth.segment.inference import baseline
from lungsynth.segment.scoring import detection_table as scoring
from lungsynth.segment.scoring.detection import draw_weights, match
from lungsynth.segment.scoring.threshold import OperatingPoint
from lungsynth.sets.scans import prepared
from lungsynth.sets.tables import read_csv, read_json, write_csv
from lungsynth.study.seeds import rng
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    least = job.settings("segment.min_diameter_mm")
    chosen = read_json(job.input.threshold)
    points = {name: OperatingPoint(**chosen[name]) for name in ("segmenter", "baseline")}
    marks = read_csv(job.input.marks)
    found = {"segmenter": pd.concat([read_csv(path) for path in job.input.candidates], ignore_index=True)}
    maps = {path.name.removesuffix(".nii.gz"): path for folder in job.input.probability for path in folder.iterdir()}
    shown = {path.name.removesuffix(".nii.gz"): path for folder in job.input.masks for path in folder.iterdir()}
    names, patients, blobs, dice, near = [], [], [], [], []
    for scan in job.bar(s for s in prepared(job.input.cohort, job.input.folders, ["test"]) if s.kind == "volume"):
        names.append(scan.scan)
        patients.append(scan.patient)
        radius_mm = points["baseline"].threshold
        blobs.append(scan.with_boxes(*baseline.find(scan.scan, scan.volume, scan.lungs, radius_mm, least)))
        overlap = scoring.nodule_dice(scan.nodules, volumes.upright(volumes.read(shown[scan.scan])).hu)
        dice += [{"scan": scan.scan, "dice": value} for value in overlap.values()]
        near.append((scan.scan, volumes.read(maps[scan.scan])))
    found["baseline"] = pd.concat(blobs, ignore_index=True)
    weights = draw_weights(patients, job.settings("score.bootstrap"), rng(job.seed, "detection", "draws"))
    draws = scoring.Draws(weights, job.settings("score.confidence"))
    patches = scoring.patch_list(marks, found["baseline"], names, rng(job.seed, "detection", "patches"))
    patches = scoring.with_probability(patches, dict(near))
    rows = [scoring.detection_row(name, found[name], marks, names, points[name], draws) for name in points]
    sure = {
        "accuracy": scoring.accuracy(patches, names, draws),
        "dice": scoring.mean_dice(pd.DataFrame(dice), names, draws),
    }
    for what, values in sure.items():
        rows[0] |= dict(zip((what, f"{what}_low", f"{what}_high"), values, strict=True))
    curves = [scoring.froc_table(name, match(found[name], marks, names), draws) for name in points]
    write_csv(job.output.detection, pd.DataFrame(rows))
    write_csv(job.output.froc, pd.concat(curves, ignore_index=True))
    job.say(f"{rows}")
