"""What gate or judge saw over all composites: lesions erased, lost, moved, images with an invented one, shift in HU."""

from lungsynth.refine.gate import lung_shift, summary
from lungsynth.sets.tables import concatenate, read_csv, write_csv, write_json
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    lesions, images = (concatenate(map(read_csv, paths)) for paths in (job.input.lesions, job.input.images))
    confidence = job.settings("score.confidence")
    write_csv(job.output.table, summary(lesions, images, confidence))
    facts = {"images": len(images), "lesions": len(lesions), "invented": int(images["invented"].sum())}
    facts |= {"kept": int(images["keep"].sum()), "lung_hu_shift": lung_shift(images, confidence)}
    write_json(job.output.facts, facts)
    job.say(f"{facts}")
