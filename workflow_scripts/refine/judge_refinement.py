"""The gate over all composites: shares of lesions erased, lost and moved, images with an invented one, shift in HU."""

import pandas as pd

from lungsynth.refine.gate import lung_shift, summary
from lungsynth.sets.tables import read_csv, write_csv, write_json
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    lesions = pd.concat([read_csv(path) for path in job.input.lesions], ignore_index=True)
    images = pd.concat([read_csv(path) for path in job.input.images], ignore_index=True)
    confidence = job.settings("score.confidence")
    write_csv(job.output.table, summary(lesions, images, confidence))
    facts = {"images": len(images), "lesions": len(lesions), "invented": int(images["invented"].sum())}
    facts |= {"kept": int(images["keep"].sum()), "lung_hu_shift": lung_shift(images, confidence)}
    write_json(job.output.gate, facts)
    job.say(f"{facts}")
