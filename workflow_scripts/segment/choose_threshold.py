"""The operating points of segmenter and baseline, chosen on the tune patients."""

import pandas as pd

from lungsynth.ct import volume as volumes
from lungsynth.segment.inference import baseline, candidates
from lungsynth.segment.scoring import threshold
from lungsynth.sets.scans import prepared, usable
from lungsynth.sets.tables import read_csv, read_json, write_json
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    given, most = job.settings("segment.threshold"), job.settings("segment.max_false_positives")
    least, margin = job.settings("segment.min_diameter_mm"), job.settings("segment.lung_margin_mm")
    score = job.settings("segment.candidate_score")
    there = usable(job.input.cohort)["role"].isin(["tune"]).any()
    tuned = prepared(job.input.cohort, job.input.folders, ["tune"]) if there else []
    scans = [s for s in tuned if s.kind == "volume"]
    files = {path.name.removesuffix(".nii.gz"): path for folder in job.input.probability for path in folder.iterdir()}
    maps = {scan.scan: volumes.read(files[scan.scan]).hu for scan in scans}
    names, marks = [scan.scan for scan in scans], read_csv(job.input.marks)

    def segmenter_at(level):
        """Candidates of all tune scans at a segmentation threshold."""
        tables = [
            s.with_boxes(*candidates.find(s.scan, maps[s.scan], s.volume, s.lungs, level, least, margin, score))
            for s in scans
        ]
        return pd.concat(tables, ignore_index=True)

    def baseline_at(radius_mm):
        """The baseline's, at an opening radius."""
        return pd.concat([s.with_boxes(*baseline.find(s.scan, s.volume, s.lungs, radius_mm, least)) for s in scans])

    tried = threshold.THRESHOLDS if given is None else (given,)
    if scans:
        points = {
            "segmenter": threshold.choose(segmenter_at, marks, names, most, tried),
            "baseline": threshold.choose(baseline_at, marks, names, most, baseline.RADII_MM),
        }
    else:  # no whole tune scan: nothing to count false positives on
        shipped = [threshold.OperatingPoint(**read_json(path)["operating_point"]) for path in job.input.recipe]
        own = shipped[0] if shipped and given is None else threshold.given(given or 0.5)
        points = {"segmenter": own, "baseline": threshold.given(baseline.RADII_MM[1])}
    write_json(job.output.threshold, {name: point.to_dict() for name, point in points.items()})
    job.say(f"{points['segmenter']}")
