"""Probability of nodule in every voxel of a batch of scans."""

from lungsynth.ct import volume as volumes
from lungsynth.ct.files import whole_folder
from lungsynth.segment.apply import load, segment_volume
from lungsynth.sets.scans import prepared
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    segment = job.settings("segment")
    device = pick_device(job.settings("device"))
    segmenter = load(segment, job.input.state, device)
    job.record(device=device.type, bitwise=device.type == "cpu")
    count = 0
    with whole_folder(job.output.folder) as folder:
        for scan in job.bar(prepared(job.input.cohort, [], only=job.input.folder)):
            if scan.kind == "volume":
                probability = segment_volume(segmenter, scan.volume, scan.lungs)
                volumes.write(folder / f"{scan.scan}.nii.gz", scan.volume.like(probability))
                count += 1
    job.say(f"{count} scans")
