"""Writes digital patients as a LUNA16 folder, with two additions: the nodules' labels and their truth.

ROOT/subset0/UID.mhd + .raw, ROOT/seg-lungs-LUNA16/UID.mhd + .zraw, ROOT/annotations.csv as LUNA16 has them;
ROOT/nodules/UID.nii.gz (uint8, k = the k-th nodule) and ROOT/truth.csv (kind, texture, attachment) are ours.
"""

import csv
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from lungsynth.cohort.phantom.chest import Patient

ANNOTATION_COLUMNS = ("seriesuid", "coordX", "coordY", "coordZ", "diameter_mm")
TRUTH_COLUMNS = (*ANNOTATION_COLUMNS, "label", "kind", "texture", "attachment", "mean_hu")


def write_patient(patient: Patient, root: Path, subset: int) -> None:
    """Writes scan, lung mask and nodule labels of a patient under `root`."""
    root = Path(root)
    scan = root / f"subset{subset}" / f"{patient.uid}.mhd"
    mask = root / "seg-lungs-LUNA16" / f"{patient.uid}.mhd"
    labels = root / "nodules" / f"{patient.uid}.nii.gz"
    for path, volume in ((scan, patient.image), (mask, patient.lungs), (labels, patient.labels)):
        path.parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(_image(patient, volume), str(path), useCompression=path != scan)


def _image(patient: Patient, volume: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(volume)
    image.SetSpacing(patient.spacing_mm)
    image.SetOrigin(patient.origin_mm)
    return image


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


def write_tables(annotations: list[dict], truth: list[dict], root: Path) -> None:
    """Writes annotations.csv and truth.csv of a cohort under `root`."""
    for name, columns, rows in (
        ("annotations.csv", ANNOTATION_COLUMNS, annotations),
        ("truth.csv", TRUTH_COLUMNS, truth),
    ):
        with (Path(root) / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
