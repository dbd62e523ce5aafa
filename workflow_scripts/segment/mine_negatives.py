"""Contexts round what the half-trained detector takes for nodules on the fit scans."""

from lungsynth.segment.apply import detect, load, segment_volume
from lungsynth.segment.inference.grid import Grid
from lungsynth.segment.inference.planes import scans_of
from lungsynth.segment.training import windows
from lungsynth.sets.scans import prepared
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step
from lungsynth.workflow.training import detector_of

with step(snakemake) as job:  # noqa: F821
    detector, wanted = detector_of(job), job.settings("segment.windows")
    trained, parts = load(detector, job.input.state, pick_device(job.settings("device"))), []
    network = detector.network
    sizes, cubes = (Grid(network.spacing_mm, network.native_mm), wanted.context_px, network.slices), wanted.cubes
    for one in job.bar(prepared(job.input.cohort, job.input.folders, ["fit"])):
        if one.kind == "slice":  # nobody has marked its lesions, and they would be the surest of all
            continue
        most = max(1, wanted.per(one.kind) // 2)
        # A slice every 7.5 mm: neighbours show the same vessels, and this step keeps all others waiting.
        every = max(1, round(7.5 / one.volume.spacing_mm[0])) if one.kind == "volume" else 1
        for scan in scans_of(one):
            if trained.gives_probability:
                probability = segment_volume(trained, scan.volume, scan.lungs, every)
                parts.append(windows.mine(scan, probability, *sizes, most, cubes))
            else:
                found = detect(trained, scan).candidates
                parts.append(windows.mine_candidates(scan, found, *sizes, most, cubes))
    windows.write(job.output.windows, windows.join(parts))
    job.say(f"{sum(map(len, parts))} false positives")
