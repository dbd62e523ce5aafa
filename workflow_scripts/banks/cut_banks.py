"""Banks of nodules, normal slices and slices with a nodule, one for each role that needs it."""

from dataclasses import replace

import pandas as pd

from lungsynth.banks.cut import cut_nodules, lesion_slices, normal_slices, unmasked_places
from lungsynth.banks.purity import purity
from lungsynth.ct import volume as volumes
from lungsynth.sets import bank
from lungsynth.sets.scans import prepared
from lungsynth.sets.tables import write_csv
from lungsynth.workflow.step import step


def unmarked(one):
    """The same images without masks: nobody marked a lesion there."""
    return replace(one, masks=one.masks * 0)


def nothing_like(name, parts):
    """No image, of the size and with the columns that the same subject has in another role: nobody plays this one."""
    subject = name.partition("_")[0]
    return next(some[0] for other, some in parts.items() if some and other.startswith(subject)).take([])


with step(snakemake) as job:  # noqa: F821
    banks, image = job.settings("banks"), job.settings("image")
    candidates = {
        path.name.removesuffix(".nii.gz"): path for folder in job.input.masks for path in folder.glob("*.nii.gz")
    }
    parts, places, lost = {path.stem: [] for path in job.output.images}, [], 0
    for scan in job.bar(prepared(job.input.cohort, job.input.folders)):
        found, role = scan, scan.role
        if banks.cut_from == "segmentation" and role in ("fit", "tune") and scan.kind == "volume":
            found = replace(scan, nodules=volumes.upright(volumes.read(candidates[scan.scan])).hu)
        if role == "fit":
            places.append(unmasked_places(scan))
        if f"nodules_{role}" in parts:
            cuts = cut_nodules(found, banks, scan.nodules)
            parts[f"nodules_{role}"].append(cuts.images)
            lost += cuts.too_large
        if f"normals_{role}" in parts:
            parts[f"normals_{role}"].append(normal_slices(found, banks, image, scan.nodules))
        if f"lesions_{role}" in parts:
            # A source without marks may still show the refiner what real slices look like: all of them are targets.
            anything = role == "domain" and not scan.marked().any()
            slices = unmarked(normal_slices(scan, banks, image)) if anything else lesion_slices(scan, banks, image)
            parts[f"lesions_{role}"].append(slices)
    sets = {name: bank.concatenate(some or [nothing_like(name, parts)]) for name, some in parts.items()}
    for path in job.output.images:
        bank.write(path, sets[path.stem])
    write_csv(job.output.places, pd.concat(places, ignore_index=True))
    write_csv(job.output.purity, purity({role: sets[f"nodules_{role}"].table for role in ("fit", "tune")}))
    job.say(", ".join(f"{name} {len(one)}" for name, one in sets.items()) + f"; {lost} cuts were too large")
