"""The shown candidates of a batch of scans with the outlines that a network gives them in space."""

from lungsynth.ct import volume as volumes
from lungsynth.ct.files import whole_folder
from lungsynth.segment.inference import candidates, found
from lungsynth.segment.outlines.outline import load
from lungsynth.sets.scans import prepared
from lungsynth.sets.tables import read_csv, write_csv
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    device = pick_device(job.settings("device"))
    outliner = load(job.settings("segment.outlines.network"), job.input.weights[0], device)
    job.record(device=device.type, bitwise=device.type == "cpu")
    masks, seen = found.files([job.input.masks]), found.files([job.input.detected])
    table, count = read_csv(job.input.candidates), 0
    with whole_folder(job.output.masks) as folder:
        for scan in job.bar(prepared(job.input.cohort, [], only=job.input.folder)):
            if scan.scan not in masks:
                continue
            labels = volumes.upright(volumes.read(masks[scan.scan])).hu
            shown = table[(table["scan"] == scan.scan) & table["shown"]]
            shown = shown.sort_values("probability", ascending=False, kind="stable")
            probability = found.Found(seen[scan.scan]).probability.hu
            outlined = outliner.outlined(scan.volume, probability, labels, shown["label"].to_numpy())
            table = candidates.measured_again(table, scan.scan, outlined, scan.volume)
            mask = volumes.turned(scan.volume.like(outlined), scan.axes)
            volumes.write(folder / f"{scan.scan}.nii.gz", mask)
            count += len(shown)
    write_csv(job.output.candidates, table)
    job.say(f"{count} candidates outlined")
