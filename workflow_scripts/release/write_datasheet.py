"""The datasheet of the release."""

from lungsynth import __version__
from lungsynth.ct.files import write_text
from lungsynth.release.datasheet import Sheet, cohort_summary, datasheet, left_out, lesion_summary, markdown
from lungsynth.release.export import FORMAT_FILE
from lungsynth.sets.tables import read_csv, read_json
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    image, release, lesions = job.settings("image"), job.settings("release"), read_csv(job.input.lesions)
    refused = {path.parent.name: read_json(path)["refused"] for path in job.input.selections}
    values = [read_json(folder / FORMAT_FILE)["values"] for folder in job.input.formats]
    sheet = Sheet(
        title=release.title,
        study=job.settings("study"),
        seed=job.seed,
        version=__version__,
        licence=release.licence,
        source_note=release.source_note,
        images=len(read_csv(job.input.manifest)),
        lesions=len(lesions),
        size_px=image.size_px,
        mm_per_px=image.mm_per_px,
        window_hu=image.window_hu,
        values={name: said for one in values for name, said in one.items()},
        lesion_table=markdown(lesion_summary(lesions)),
        cohort_table=markdown(cohort_summary(read_csv(job.input.cohort))),
        left_out_table=markdown(left_out(refused, read_csv(job.input.gate))),
        score_table=markdown(read_csv(job.input.scores).drop(columns="note")),
    )
    write_text(job.output.datasheet, datasheet(sheet))
    job.say(f"{sheet.images} images with {sheet.lesions} lesions")
