"""What the detector finds in a batch of scans: the probability of every voxel, or candidates where it gives none."""

from lungsynth.ct.files import whole_folder
from lungsynth.segment.apply import load, write_found
from lungsynth.sets.scans import prepared
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    device = pick_device(job.settings("device"))
    trained = load(job.settings("segment.detector"), job.input.state, device, job.settings("segment.inference"))
    job.record(device=device.type, bitwise=device.type == "cpu")
    scans = []
    with whole_folder(job.output.folder) as folder:
        for one in job.bar(prepared(job.input.cohort, [], only=job.input.folder)):
            if one.kind == "volume":
                write_found(folder, trained, one)
                scans.append(one.scan)
    job.say(f"{len(scans)} scans")
