"""The segmenter on nodule patches that it has not seen: Dice of every nodule, by group, and the worst and the best."""

import numpy as np

from lungsynth.cohort.listing import open_reader
from lungsynth.cohort.names import public_id
from lungsynth.segment import apply
from lungsynth.segment.scoring import patch_sheet, patches
from lungsynth.sets.tables import read_json, write_csv
from lungsynth.study.errors import DataError, StudyError
from lungsynth.train.loop import pick_device
from lungsynth.workflow.sources import under_data
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    point, (source, *_) = job.settings("segment.operating_point"), job.settings("cohort.sources")
    if not job.input.recipe:
        raise StudyError("segment.init_from: is null; name the network in models/ that is to be scored")
    if source["reader"] != "patches":
        raise StudyError(
            f"cohort.sources: the reader {source['reader']!r} gives no patches to score; name reader: patches"
        )
    known = read_json(job.input.recipe[0])
    level = point.threshold or known["operating_point"]["threshold"]
    device, size = pick_device(job.settings("device")), job.settings("segment.patches").window_px
    trained = apply.load(job.settings("segment.detector"), job.input.state, device, job.settings("segment.inference"))
    reader = open_reader(source, under_data(""))
    rows, hu, masks = reader.patches()
    votes, looks = reader.votes, []
    seen = rows["patient_id"].isin([name for names in known["patients"].values() for name in names]).to_numpy()
    rows, hu, masks = rows[~seen].reset_index(drop=True), hu[~seen], masks[~seen]
    if not len(rows):
        raise DataError("the segmenter has seen every patient of these patches: there is nothing to score it on")
    mm, readers = rows["pixel_spacing_mm"].to_numpy(float), rows["n_readers_slice"].to_numpy()

    def probability(images):
        """Of the windows of a draw."""
        looks.append(apply.segment_images(trained, images, mm))
        return looks[-1]

    draws = patches.scored(probability, hu, masks, rows["index"], size, (level,), job.seed)[:, 0]
    whole = apply.segment_images(trained, hu, mm)
    rows = rows.assign(**patches.context(looks, whole, level, hu, masks, rows["index"], size, job.seed))
    if votes is not None:
        rows = rows.assign(**patches.agreement(looks, level, hu, votes[~seen], readers, rows["index"], size, job.seed))
    table = patches.summary(rows, draws, job.settings("score.bootstrap"), job.settings("score.confidence"), job.seed)
    each = {f"dice_{number}": values for number, values in enumerate(draws, start=1)}
    shown, truth = patches.windows(hu, masks, rows["index"], size, job.seed, 0)
    ends = patch_sheet.ends(draws[0])
    found = np.zeros(shown.shape, bool)
    found[ends] = apply.segment_images(trained, shown[ends], mm[ends]) >= level
    captions = [f"{row.eq_diam_mm:.0f} mm, {row.n_readers_slice}" for row in rows.itertuples()]
    patch_sheet.draw(job.output.sheet, shown, truth, found, draws[0], captions)
    named = {
        name: [public_id(text, kind) for text in rows[name]]
        for name, kind in (("patient_id", "P"), ("series_uid", "S"))
    }
    nodules = rows.assign(**named, **each, dice=draws.mean(axis=0))
    write_csv(job.output.nodules, nodules.drop(columns="near_duplicate"))
    write_csv(job.output.table, table)
    for row, reason in reader.skipped[:1]:
        job.say(f"{len(reader.skipped)} patches left out, the first is {row} of nodules.csv: {reason}")
    job.say(f"threshold {level}; {int(seen.sum())} patches of patients that it has seen left out")
    job.say(table.to_string(index=False, float_format="%.3f"))
