"""A compared detector at the operating point of its own that tune scans choose: what it finds in test scans."""

from lungsynth.segment.inference import found
from lungsynth.segment.scoring.answers import judged_places, on_test, operating_point, whole
from lungsynth.segment.scoring.threshold import tried
from lungsynth.sets.scans import prepared
from lungsynth.sets.tables import read_csv, read_json, write_csv, write_json
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    rules, marks, run = job.settings("segment.operating_point"), read_csv(job.input.marks), job.settings("run")
    tune, test = (whole(prepared(job.input.cohort, job.input.folders, [role]), role) for role in ("tune", "test"))
    network, files = read_json(job.input.network), found.files([job.input.detected])

    def find(scan, level):
        """What the network has found, cut at a threshold where it gives a probability."""
        return found.Found(files[scan.scan], scan).candidates(level, rules)

    levels = tried(rules.threshold, network["gives_probability"])
    point = operating_point(find, tune, marks, rules.max_false_positives, levels)
    candidates, nodules = on_test(find, test, point, marks)
    places = judged_places(read_csv(job.input.places), candidates, lambda name: found.Found(files[name]).probability)
    write_csv(job.output.candidates, candidates)
    write_csv(job.output.nodules, nodules)
    write_csv(job.output.places, places)
    about = {"kind": run.kind, "run": f"{run.label}-{run.seed}", "point": point.to_dict()}
    write_json(job.output.facts, about | network | {"patches": network["steps"] * run.training.batch})
    job.say(f"{run.name}: {point}")
