"""A batch of digital chests, written as a part of a LUNA16 folder."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from lungsynth.cohort.phantom.chest import make_patient
from lungsynth.cohort.phantom.write import truth_rows, write_patient
from lungsynth.sets.tables import write_csv
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    settings = job.settings("cohort.phantom")
    batch, batches = int(job.wildcards.batch), job.settings("cohort.batches")
    rows = []
    with tempfile.TemporaryDirectory(dir=job.output.truth.parent, prefix=".made-") as folder:
        for index in job.bar(np.array_split(np.arange(settings.patients), batches)[batch]):
            patient = make_patient(settings, job.seed, int(index))
            write_patient(patient, Path(folder), batch)
            rows.extend(truth_rows(patient))
        made = Path(folder)
        for part, place in ((f"subset{batch}", "scans"), ("seg-lungs-LUNA16", "lungs"), ("nodules", "nodules")):
            os.replace(made / part, getattr(job.output, place))
    write_csv(job.output.truth, pd.DataFrame(rows))
    job.say(f"{len(rows)} nodules")
