"""Contexts round nodules and round what is none, cut from the fit scans."""

from dataclasses import replace

from lungsynth.segment.inference.grid import Grid
from lungsynth.segment.inference.planes import scans_of
from lungsynth.segment.training import paste, windows
from lungsynth.sets.scans import prepared
from lungsynth.study.seeds import rng
from lungsynth.workflow.step import step

with step(snakemake) as job:  # noqa: F821
    network, wanted = job.settings("segment.network"), job.settings("segment.windows")
    grid = Grid(network.spacing_mm, network.native_mm)

    def fit_scans():
        """The fit scans, one at a time."""
        return prepared(job.input.cohort, job.input.folders, ["fit"])

    volumes = (scan for one in fit_scans() if wanted.pasted and one.kind == "volume" for scan in scans_of(one))
    pieces, parts = [piece for scan in volumes for piece in paste.pieces_of(scan)], []
    for one in job.bar(fit_scans()):
        how = (grid, wanted.context_px, network.slices, wanted.per(one.kind))
        for scan in scans_of(one):
            parts.append(windows.cut(scan, *how, rng(job.seed, "windows", scan.name), wanted.cubes))
            if pieces and one.kind == "volume":
                stream = rng(job.seed, "windows", "pasted", scan.name)
                more = replace(paste.pasted(scan, pieces, wanted.pasted, stream), name=f"{scan.name}-pasted")
                parts.append(windows.round_nodules(more, *how, stream, wanted.cubes))
    all_windows = windows.join(parts)
    windows.write(job.output.windows, all_windows)
    job.say(f"{len(all_windows)} contexts: {all_windows.table['what'].value_counts().to_dict()}")
