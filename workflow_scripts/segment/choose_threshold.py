"""The operating points of detector and baseline, chosen on the tune patients."""

import pandas as pd

from lungsynth.segment.inference import baseline, found
from lungsynth.segment.scoring import threshold
from lungsynth.sets.scans import prepared, usable
from lungsynth.sets.tables import read_csv, write_json
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    point = job.settings("segment.operating_point")
    cohort = usable(job.input.cohort)
    tuned = prepared(job.input.cohort, job.input.folders, ["tune"]) if "tune" in set(cohort["role"]) else []
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

    cuts, own = found.are_probabilities(files.values()), threshold.shipped(job.input.recipe)
    possible = threshold.possible(point.threshold, cuts, cohort, own)
    if possible.weighed(nodules=marks["scan"].isin(names).any()):
        points = {
            "segmenter": threshold.choose(detector_at, marks, names, point.max_false_positives, possible.tried),
            "baseline": threshold.choose(baseline_at, marks, names, point.max_false_positives, baseline.RADII_MM),
        }
    else:  # no whole tune scan, or none with a nodule: nothing to weigh
        points = {"segmenter": possible.otherwise, "baseline": threshold.given(baseline.RADII_MM[1])}
    write_json(job.output.threshold, {name: point.to_dict() for name, point in points.items()})
    job.say(f"{points['segmenter']}")
