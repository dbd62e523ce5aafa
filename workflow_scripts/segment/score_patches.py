"""The segmenter on nodule patches that it has not seen: Dice of every nodule, by group, and the worst and the best."""

from lungsynth.cohort.listing import open_reader
from lungsynth.segment import apply, patch_sheet, patches
from lungsynth.sets.tables import read_json, write_csv
from lungsynth.study.errors import DataError, StudyError
from lungsynth.workflow.sources import under_data
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    segment, (source, *_) = job.settings("segment"), job.settings("cohort.sources")
    if not job.input.recipe:
        raise StudyError("segment.start_from: is null; name the network in models/ that is to be scored")
    known = read_json(job.input.recipe[0])
    level = segment.threshold or known["operating_point"]["threshold"]
    segmenter, size = apply.load(segment, job.input.state), segment.block()["window_px"]
    rows, hu, masks = open_reader(source, under_data("")).patches()
    seen = rows["patient_id"].isin([name for names in known["patients"].values() for name in names]).to_numpy()
    rows, hu, masks = rows[~seen].reset_index(drop=True), hu[~seen], masks[~seen]
    if not len(rows):
        raise DataError("the segmenter has seen every patient of these patches: there is nothing to score it on")
    mm = rows["pixel_spacing_mm"].to_numpy(float)

    def probability(images):
        """Of windows."""
        return apply.segment_patches(segmenter, images, mm)

    draws = patches.scored(probability, hu, masks, size, (level,), job.seed)[:, 0]
    table = patches.summary(rows, draws, job.settings("score.bootstrap"), job.settings("score.confidence"), job.seed)
    each = {f"dice_{number}": values for number, values in enumerate(draws, start=1)}
    shown, truth = patches.windows(hu, masks, size, job.seed, 0)
    found = probability(shown) >= level
    captions = [f"{row.eq_diam_mm:.0f} mm, {row.n_readers_slice}" for row in rows.itertuples()]
    patch_sheet.draw(job.output.sheet, shown, truth, found, draws[0], captions)
    write_csv(job.output.nodules, rows.drop(columns="near_duplicate").assign(**each, dice=draws.mean(axis=0)))
    write_csv(job.output.table, table)
    job.say(f"threshold {level}; {int(seen.sum())} patches of patients that it has seen left out")
    job.say(table.to_string(index=False, float_format="%.3f"))
