"""Threshold and opening as a system among others, and the balanced list of places that all are asked about."""

from lungsynth.segment.inference import baseline
from lungsynth.segment.scoring.answers import on_test, operating_point, whole
from lungsynth.segment.scoring.detection_table import patch_list
from lungsynth.sets.scans import prepared, usable
from lungsynth.sets.tables import read_csv, write_csv, write_json
from lungsynth.study.comparison import BASELINE
from lungsynth.study.seeds import rng
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    rules, marks = job.settings("segment.operating_point"), read_csv(job.input.marks)
    tune, test = (whole(prepared(job.input.cohort, job.input.folders, [role]), role) for role in ("tune", "test"))

    def find(scan, radius_mm):
        """Dense, compact things."""
        table, labels = baseline.find(scan.scan, scan.volume, scan.lungs, radius_mm, rules.min_diameter_mm)
        return scan.with_boxes(table, labels), labels

    point = operating_point(find, tune, marks, rules.max_false_positives, baseline.RADII_MM)
    candidates, nodules = on_test(find, test, point, marks)
    names = [one.scan for one in usable(job.input.cohort, ["test"]).itertuples() if one.kind == "volume"]
    places = patch_list(marks, candidates, names, rng(job.seed, "compare", "places"))
    write_csv(job.output.candidates, candidates)
    write_csv(job.output.nodules, nodules)
    write_csv(job.output.places, places)
    about = {"kind": BASELINE, "run": BASELINE, "patches": 0, "steps": 0, "parameters": 0, "note": ""}
    write_json(job.output.facts, about | {"point": point.to_dict()})
    job.say(f"{point}; {len(places)} places")
