"""Nodule candidates of a batch of scans: a table, and labels on the grid of each scan's file where it was outlined."""

import numpy as np
import pandas as pd

from lungsynth.ct import volume as volumes
from lungsynth.ct.files import whole_folder
from lungsynth.segment.inference import candidates, found
from lungsynth.sets.boxes import HITS
from lungsynth.sets.scans import prepared
from lungsynth.sets.tables import concatenate, read_json, write_csv
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    point, rules = read_json(job.input.threshold)["segmenter"], job.settings("segment.operating_point")
    judged = found.files([job.input.judged] if job.input.judged else [])
    files, tables = found.files([job.input.detected]), [pd.DataFrame(columns=[*candidates.COLUMNS, HITS, "shown"])]
    with whole_folder(job.output.masks) as folder:
        for scan in job.bar(prepared(job.input.cohort, [], only=job.input.folder)):
            if scan.scan not in files:
                continue
            table, labels = found.Found(files[scan.scan], scan, judged.get(scan.scan)).candidates(
                point["threshold"], rules
            )
            table = table.assign(shown=table["probability"] >= point["probability"])
            tables.append(table)
            if labels is not None:
                shown = np.isin(labels, table.loc[table["shown"], "label"]) * labels
                mask = volumes.turned(scan.volume.like(shown.astype(np.uint16)), scan.axes)
                volumes.write(folder / f"{scan.scan}.nii.gz", mask)
    table = concatenate(tables)
    write_csv(job.output.candidates, table)
    job.say(f"{int(table['shown'].sum())} candidates shown, {len(table)} in all")
