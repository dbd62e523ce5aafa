"""What the detector finds in a batch of scans: the probability of every voxel, or candidates where it gives none."""

from lungsynth.ct.files import whole_folder
from lungsynth.segment.apply import detect, load, segment_volume
from lungsynth.segment.inference import found
from lungsynth.segment.inference.planes import scans_of
from lungsynth.sets.scans import prepared
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    device = pick_device(job.settings("device"))
    trained = load(job.settings("segment.detector"), job.input.state, device, job.settings("segment.inference"))
    job.record(device=device.type, bitwise=device.type == "cpu")
    count = 0
    with whole_folder(job.output.folder) as folder:
        for one in job.bar(prepared(job.input.cohort, [], only=job.input.folder)):
            if one.kind != "volume":
                continue
            if trained.gives_probability:
                found.write_probability(folder, one, segment_volume(trained, one.volume, one.lungs))
            else:
                (scan,) = scans_of(one)
                found.write_candidates(folder, one, detect(trained, scan).candidates)
            count += 1
    job.say(f"{count} scans")
