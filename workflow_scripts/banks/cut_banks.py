"""Banks of nodules, normal slices and slices with a nodule, one for each role that needs it."""

from dataclasses import replace

from lungsynth.banks.cut import cut_nodules, lesion_slices, normal_slices
from lungsynth.banks.purity import purity
from lungsynth.ct import volume as volumes
from lungsynth.sets import bank
from lungsynth.sets.scans import prepared
from lungsynth.sets.tables import write_csv
from lungsynth.workflow.step import step


def unmarked(one):
    """The same images without masks: nobody marked a lesion there."""
    return replace(one, masks=one.masks * 0)


with step(snakemake) as job:  # noqa: F821
    banks, image = job.settings("banks"), job.settings("image")
    candidates = {
        path.name.removesuffix(".nii.gz"): path for folder in job.input.masks for path in folder.glob("*.nii.gz")
    }
    parts, lost = {path.stem: [] for path in job.output.images}, 0
    for scan in job.bar(prepared(job.input.cohort, job.input.folders)):
        found, role = scan, scan.role
        if banks.cut_from == "segmentation" and role in ("fit", "tune") and scan.kind == "volume":
            found = replace(scan, nodules=volumes.read(candidates[scan.scan]).hu)
        cuts = cut_nodules(found, banks, scan.nodules)
        lost += cuts.too_large
        slices = lesion_slices(scan, banks, image) if scan.nodules.any() else None
        made = {
            "nodules": cuts.images,
            "normals": normal_slices(found, banks, image, scan.nodules),
            # A source without marks may still show what real slices look like: all of its slices are targets.
            "lesions": unmarked(normal_slices(scan, banks, image)) if slices is None else slices,
        }
        for what, one in made.items():
            if f"{what}_{role}" in parts:
                parts[f"{what}_{role}"].append(one)
    sets = {name: bank.concatenate(some) for name, some in parts.items()}
    for path in job.output.images:
        bank.write(path, sets[path.stem])
    write_csv(job.output.purity, purity({role: sets[f"nodules_{role}"].table for role in ("fit", "tune")}))
    job.say(", ".join(f"{name} {len(one)}" for name, one in sets.items()) + f"; {lost} cuts were too large")
