"""How composites are blended, so that the folder alone is enough to render any of them again."""

from lungsynth.sets.tables import write_json
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    write_json(job.output.settings, job.settings("compose.render").model_dump(mode="json"))
