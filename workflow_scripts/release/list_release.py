"""manifest.csv and lesions.csv of the release."""

from lungsynth.release.manifest import joined
from lungsynth.sets.tables import concatenate, read_csv, read_parquet, write_csv
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    kept, lesions = (concatenate(map(read_parquet, paths)) for paths in (job.input.kept, job.input.lesions))
    formats, paths = job.settings("release.formats"), iter(job.input.files)
    files = {name: concatenate(read_csv(next(paths)) for _ in job.input.kept) for name in formats}
    manifest, rows = joined(kept, lesions, files)
    write_csv(job.output.manifest, manifest)
    write_csv(job.output.lesions, rows)
    job.say(f"{len(manifest)} images with {len(rows)} lesions")
