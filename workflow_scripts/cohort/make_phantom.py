"""A batch of digital chests, written as a part of a LUNA16 folder."""

import numpy as np
import pandas as pd

from lungsynth.cohort.phantom.chest import make_patient
from lungsynth.cohort.phantom.write import truth_rows, write_patient
from lungsynth.ct.files import whole_folder
from lungsynth.sets.tables import write_csv
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    settings = job.settings("cohort.phantom")
    batch, batches = int(job.wildcards.batch), job.settings("cohort.batches")
    rows = []
    with (
        whole_folder(job.output.scans) as scans,
        whole_folder(job.output.lungs) as lungs,
        whole_folder(job.output.nodules) as nodules,
    ):
        for index in job.bar(np.array_split(np.arange(settings.patients), batches)[batch]):
            patient = make_patient(settings, job.seed, int(index))
            write_patient(patient, scans, lungs, nodules)
            rows.extend(truth_rows(patient))
    write_csv(job.output.truth, pd.DataFrame(rows))
    job.say(f"{len(rows)} nodules")
