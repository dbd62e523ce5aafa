"""Contexts round nodules and round what is none, cut from the fit scans."""

from lungsynth.segment import windows
from lungsynth.segment.planes import scans_of
from lungsynth.sets.scans import prepared
from lungsynth.study.seeds import rng
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    spacing_mm, context_px = job.settings("segment.spacing_mm"), job.settings("segment.context_px")
    slices, most = job.settings("segment.slices"), job.settings("segment.windows_per_patient")
    parts = [
        windows.cut(scan, spacing_mm, context_px, slices, most, rng(job.seed, "windows", scan.name))
        for one in job.bar(prepared(job.input.cohort, job.input.folders, ["fit"]))
        for scan in scans_of(one)
    ]
    all_windows = windows.join(parts)
    windows.write(job.output.windows, all_windows)
    job.say(f"{len(all_windows)} contexts: {all_windows.table['what'].value_counts().to_dict()}")
