"""The selected pictures as a folder a class, a zip, a table and a datasheet."""

from lungsynth import __version__
from lungsynth.ct.files import whole_folder, write_text
from lungsynth.release import datasheet
from lungsynth.release.pictures import UNTOLD, write_pictures, write_zip
from lungsynth.sets import bank
from lungsynth.sets.tables import read_csv, read_json, write_csv
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    made, release, image = bank.read(job.input.selected), job.settings("release"), job.settings("image")
    listed, runs = read_csv(job.input.pictures), job.settings("runs")
    names = sorted(listed["class"].unique()) if "label" in made.table else [UNTOLD]
    with whole_folder(job.output.folder) as folder:
        manifest = write_pictures(folder, made, names, job.seed)
    write_csv(job.output.manifest, manifest)
    write_zip(job.output.zip, made, names)
    facts = {
        "title": release.title,
        "study": job.settings("study"),
        "seed": job.seed,
        "version": __version__,
        "licence": release.licence,
        "source_note": release.source_note,
        "images": len(manifest),
        "size_px": image.size_px,
        "values": f"{made.images.dtype}, {'red, green, blue' if image.channels == 3 else 'grey'}",
        "generator": ", ".join(run.name for run in runs),
        "class_table": datasheet.markdown(manifest.groupby("class").size().rename("pictures").reset_index()),
        "cohort_table": datasheet.markdown(datasheet.pictures_summary(listed)),
        "left_out_pictures": len(read_csv(job.input.quarantine)),
        "left_out_table": datasheet.markdown(datasheet.left_out({"pictures": read_json(job.input.summary)["refused"]})),
        "score_table": datasheet.markdown(read_csv(job.input.scores).drop(columns="note")),
    }
    write_text(job.output.datasheet, datasheet.rendered("PICTURES.md.j2", facts))
    job.say(f"{len(manifest)} pictures")
