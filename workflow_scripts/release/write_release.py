"""manifest.csv, lesions.csv and the datasheet of the release."""

import pandas as pd

from lungsynth import __version__
from lungsynth.ct.files import write_text
from lungsynth.release.datasheet import Sheet, cohort_summary, datasheet, lesion_summary, markdown
from lungsynth.release.registry import EXPORTERS
from lungsynth.sets.tables import read_csv, read_json, write_csv
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    image, release = job.settings("image"), job.settings("release")
    manifest = pd.concat([read_csv(path) for path in job.input.manifests], ignore_index=True)
    lesions = pd.concat([read_csv(path) for path in job.input.lesions], ignore_index=True)
    gate, scores = read_csv(job.input.gate), read_csv(job.input.scores)
    left_out = [
        {"what": f"generated {path.parent.name}", "why": why, "count": count}
        for path in job.input.selections
        for why, count in read_json(path)["refused"].items()
    ]
    left_out += [
        {"what": "composites after refinement", "why": row.what, "count": row.hits, "of": f"{row.n} {row.of}"}
        for row in gate.itertuples()
        if row.what != "kept"
    ]
    sheet = Sheet(
        title=release.title,
        study=job.settings("study"),
        seed=job.seed,
        version=__version__,
        licence=release.licence,
        source_note=release.source_note,
        images=len(manifest),
        lesions=len(lesions),
        size_px=image.size_px,
        mm_per_px=image.mm_per_px,
        window_hu=image.window_hu,
        formats=release.formats,
        values={name: EXPORTERS.get(name).image_values for name in release.formats},
        lesion_table=markdown(lesion_summary(lesions)),
        cohort_table=markdown(cohort_summary(read_csv(job.input.cohort))),
        left_out_table=markdown(pd.DataFrame(left_out).fillna("")),
        score_table=markdown(scores.drop(columns="note")),
    )
    write_csv(job.output.manifest, manifest)
    write_csv(job.output.lesions, lesions)
    write_text(job.output.datasheet, datasheet(sheet))
    job.say(f"{len(manifest)} images with {len(lesions)} lesions")
