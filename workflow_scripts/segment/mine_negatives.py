"""Contexts round what the half-trained segmenter takes for nodules on the fit scans."""

from lungsynth.segment.apply import load, segment_volume
from lungsynth.segment.inference.planes import scans_of
from lungsynth.segment.training import windows
from lungsynth.sets.scans import prepared
from lungsynth.train.loop import pick_device
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    segment = job.settings("segment")
    segmenter = load(segment, job.input.state, pick_device(job.settings("device")))
    sizes, parts = (segment.context_px, segment.slices), []
    for one in job.bar(prepared(job.input.cohort, job.input.folders, ["fit"])):
        if one.kind == "slice":  # nobody has marked its lesions, and they would be the surest of all
            continue
        most = max(1, getattr(segment.windows_per, one.kind) // 2)
        # A slice every 7.5 mm: neighbours show the same vessels, and this step keeps all others waiting.
        every = max(1, round(7.5 / one.volume.spacing_mm[0])) if one.kind == "volume" else 1
        for scan in scans_of(one):
            probability = segment_volume(segmenter, scan.volume, scan.lungs, every)
            parts.append(windows.mine(scan, probability, segmenter.grid, *sizes, most))
    windows.write(job.output.windows, windows.join(parts))
    job.say(f"{sum(map(len, parts))} false positives")
