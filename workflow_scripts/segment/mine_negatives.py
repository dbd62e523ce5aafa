"""Contexts round what the half-trained segmenter takes for nodules on the fit scans."""

from lungsynth.segment import windows
from lungsynth.segment.apply import load, segment_volume
from lungsynth.segment.planes import scans_of
from lungsynth.sets.scans import prepared
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    segment = job.settings("segment")
    segmenter = load(segment.kind, segment.block(), job.input.state, segment.spacing_mm, segment.slices)
    most = segment.windows_per_patient // 2
    parts = []
    for one in job.bar(prepared(job.input.cohort, job.input.folders, ["fit"])):
        if one.kind == "volume":
            (scan,) = scans_of(one)
            # Every third slice: neighbours show the same vessels, and this step keeps all others waiting.
            probability = segment_volume(segmenter, scan.volume, scan.lungs, every=3)
            parts.append(windows.mine(scan, probability, segment.spacing_mm, segment.context_px, segment.slices, most))
    windows.write(job.output.windows, windows.join(parts))
    job.say(f"{sum(map(len, parts))} false positives")
