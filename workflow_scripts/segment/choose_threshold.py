"""The operating points of detector and baseline, chosen on the tune patients."""

import pandas as pd

from lungsynth.segment.inference import baseline, found
from lungsynth.segment.scoring import threshold
from lungsynth.sets.scans import prepared, usable
from lungsynth.sets.tables import read_csv, read_json, write_json
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    point = job.settings("segment.operating_point")
    there = usable(job.input.cohort)["role"].isin(["tune"]).any()
    tuned = prepared(job.input.cohort, job.input.folders, ["tune"]) if there else []
    scans, files = [scan for scan in tuned if scan.kind == "volume"], found.files(job.input.detected)
    judged = found.files(job.input.judged)
    seen = [found.Found(files[scan.scan], scan, judged.get(scan.scan)) for scan in scans]
    names, marks = [scan.scan for scan in scans], read_csv(job.input.marks)

    def detector_at(level):
        """Candidates of all tune scans at a threshold of the probability."""
        return pd.concat([one.candidates(level, point)[0] for one in seen], ignore_index=True)

    def baseline_at(radius_mm):
        """The baseline's, at an opening radius."""
        return pd.concat(
            [s.with_boxes(*baseline.find(s.scan, s.volume, s.lungs, radius_mm, point.min_diameter_mm)) for s in scans]
        )

    tried = threshold.tried(point.threshold, any(one.probability is not None for one in seen))
    shipped = [threshold.OperatingPoint(**read_json(path)["operating_point"]) for path in job.input.recipe]
    if scans and (marks["scan"].isin(names).any() or not shipped):
        points = {
            "segmenter": threshold.choose(detector_at, marks, names, point.max_false_positives, tried),
            "baseline": threshold.choose(baseline_at, marks, names, point.max_false_positives, baseline.RADII_MM),
        }
    else:  # no whole tune scan, or none with a nodule: nothing to weigh
        own = shipped[0] if shipped and point.threshold is None else threshold.given(point.threshold or 0.5)
        points = {"segmenter": own, "baseline": threshold.given(baseline.RADII_MM[1])}
    write_json(job.output.threshold, {name: point.to_dict() for name, point in points.items()})
    job.say(f"{points['segmenter']}")
