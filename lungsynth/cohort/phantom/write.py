"""Writes digital patients as a LUNA16 folder, with two additions: the nodules' labels and their truth.

ROOT/subset0/UID.mhd + .raw, ROOT/seg-lungs-LUNA16/UID.mhd + .zraw, ROOT/annotations.csv as LUNA16 has them;
ROOT/nodules/UID.nii.gz (uint8, k = the k-th nodule) and a truth.csv (kind, texture, attachment) are ours.
"""

from pathlib import Path

from lungsynth.cohort.phantom.chest import Patient
from lungsynth.ct import volume

ANNOTATION_COLUMNS = ("seriesuid", "coordX", "coordY", "coordZ", "diameter_mm")


def write_patient(patient: Patient, scans: Path, lungs: Path, nodules: Path) -> None:
    """Writes scan, lung mask and nodule labels of a patient, each into its folder."""
    image = volume.Volume(patient.image, patient.spacing_mm[::-1], patient.origin_mm)
    volume.write(scans / f"{patient.uid}.mhd", image)
    volume.write(lungs / f"{patient.uid}.mhd", image.like(patient.lungs), compress=True)
    volume.write(nodules / f"{patient.uid}.nii.gz", image.like(patient.labels))


def annotation_rows(patient: Patient) -> list[dict]:
    """A patient's rows of LUNA16's annotations.csv: centres in LPS mm, diameters in mm."""
    rows = []
    for nodule in patient.nodules:
        values = (patient.uid, *(round(c, 4) for c in nodule.centre_mm), round(nodule.diameter_mm, 4))
        rows.append(dict(zip(ANNOTATION_COLUMNS, values, strict=True)))
    return rows


def truth_rows(patient: Patient) -> list[dict]:
    """The same rows with what only a phantom knows: label, kind, texture, attachment, mean HU in the label."""
    rows = annotation_rows(patient)
    for number, (row, nodule) in enumerate(zip(rows, patient.nodules, strict=True), 1):
        row.update(label=number, kind=nodule.kind, texture=nodule.texture, attachment=nodule.attachment)
        row["mean_hu"] = round(nodule.mean_hu, 1)
    return rows
