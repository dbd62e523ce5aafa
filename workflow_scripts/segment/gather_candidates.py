"""All candidates in one table; the official score of the scans that somebody has annotated."""

import json

from lungsynth.cohort.luna16.annotations import read_excluded
from lungsynth.cohort.names import token
from lungsynth.ct.files import whole_folder, write_text
from lungsynth.segment.scoring.detection_table import outside_lungs
from lungsynth.segment.scoring.froc_plot import draw
from lungsynth.segment.scoring.luna16 import evaluate
from lungsynth.sets.scans import usable
from lungsynth.sets.tables import concatenate, read_csv, read_json, write_csv
from lungsynth.study.seeds import rng
from lungsynth.workflow.sources import under_data
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    cohort, point = usable(job.input.cohort), read_json(job.input.threshold)["segmenter"]
    found = concatenate(map(read_csv, job.input.candidates)).astype({"shown": bool})
    listed = read_csv(job.input.scans).set_index("scan")["extra"].map(json.loads)
    read = [name for name in cohort["scan"] if listed[name].get("annotated")]
    write_csv(job.output.candidates, found.sort_values(["scan", "probability"], ascending=[True, False]))
    per_scan = found["shown"].sum() / len(cohort)
    job.say(f"{len(cohort)} scans, {per_scan:.1f} candidates a scan at {point['probability']:.3f}")
    with whole_folder(job.output.official) as folder:
        if read:
            draws, confidence = job.settings("score.bootstrap"), job.settings("score.confidence")
            patients = cohort.set_index("scan").loc[read, "patient"].tolist()
            marks, theirs = read_csv(job.input.marks), found[found["scan"].isin(read)]
            tables, (excluded, faults) = [], read_excluded(under_data(job.settings("cohort.sources")[0]["path"]))
            for file, reason in faults:
                job.say(f"{token(file)}: {reason}")
            for name, rows in (("all candidates", theirs), ("shown candidates", theirs[theirs["shown"]])):
                stream = rng(job.seed, "segment_folder", "draws")
                score = evaluate(rows, marks, read, excluded, draws, stream, patients, confidence, name)
                tables.append(score.table())
                if name == "all candidates":
                    write_csv(folder / "froc.csv", score.froc)
                    draw(score.curve, folder / "froc.png", f"scans: {len(read)}, nodules: {score.matched.nodules}")
            table = concatenate(tables).assign(outside_lungs=outside_lungs(marks, read))
            write_csv(folder / "score.csv", table)
            job.say(table.to_string(index=False, float_format="%.3f"))
        else:
            write_text(folder / "none.txt", "No scan of this folder has annotations: there is nothing to score.\n")
