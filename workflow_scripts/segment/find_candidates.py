"""Nodule candidates of a batch of scans: labels on the grid of the scan's file, and a table."""

import numpy as np
import pandas as pd

from lungsynth.ct import volume as volumes
from lungsynth.ct.files import whole_folder
from lungsynth.segment.inference import candidates
from lungsynth.sets.boxes import HITS
from lungsynth.sets.scans import prepared
from lungsynth.sets.tables import read_json, write_csv
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    least, margin = job.settings("segment.min_diameter_mm"), job.settings("segment.lung_margin_mm")
    score = job.settings("segment.candidate_score")
    point = read_json(job.input.threshold)["segmenter"]
    tables = [pd.DataFrame(columns=[*candidates.COLUMNS, HITS, "shown"])]
    with whole_folder(job.output.masks) as folder:
        for scan in job.bar(prepared(job.input.cohort, [], only=job.input.folder)):
            path = job.input.probability / f"{scan.scan}.nii.gz"
            if not path.is_file():
                continue
            probability = volumes.read(path).hu
            found, labels = candidates.find(
                scan.scan, probability, scan.volume, scan.lungs, point["threshold"], least, margin, score
            )
            found = scan.with_boxes(found, labels)
            found = found.assign(shown=found["probability"] >= point["probability"])
            shown = np.isin(labels, found.loc[found["shown"], "label"]) * labels
            mask = volumes.turned(scan.volume.like(shown.astype(np.uint16)), scan.axes)
            volumes.write(folder / f"{scan.scan}.nii.gz", mask)
            tables.append(found)
    table = pd.concat([one for one in tables if len(one)] or tables, ignore_index=True)
    write_csv(job.output.candidates, table)
    job.say(f"{int(table['shown'].sum())} candidates shown, {len(table)} in all")
