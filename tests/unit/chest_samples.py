"""Simple chests with a known answer, and the files that scanners and archives would have made of them."""

from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

SPACING_MM = (5.0, 2.5, 2.5)


def chest(shape=(40, 128, 128), spacing_mm=SPACING_MM, nodule_mm=None, seed=0):
    """HU int16 [z, y, x] and lungs uint8 (1 right): an oval body, two oval lungs, a trachea, gas below, air under the
    skin. `nodule_mm`: (z, y, x) from the middle of the image and a diameter, in mm; its HU are 30."""
    z, y, x = (
        ((np.arange(n) - (n - 1) / 2) * s).reshape([-1 if i == k else 1 for i in range(3)])
        for k, (n, s) in enumerate(zip(shape, spacing_mm, strict=True))
    )
    hu = np.full(shape, -1000.0)
    height = shape[0] * spacing_mm[0]
    body = ((x / 145) ** 2 + (y / 105) ** 2 <= 1) & (np.abs(z) < height)
    hu[body] = 40
    hu[((x - 139) ** 2 + (y / 3) ** 2 <= 16) & body] = -1000
    lungs = np.zeros(shape, np.uint8)
    for side, middle in ((1, -65), (2, 65)):
        inside = ((x - middle) / 52) ** 2 + (y / 75) ** 2 + (z / (0.42 * height)) ** 2 <= 1
        lungs[np.broadcast_to(inside, shape)] = side
    hu[lungs > 0] = -860
    hu[np.broadcast_to((x**2 + (y + 10) ** 2 <= 64) & (z > 0), shape)] = -1000
    gas = (((x - 70) / 25) ** 2 + ((y + 60) / 20) ** 2 <= 1) & (np.abs(z + 0.45 * height) < 12)
    hu[np.broadcast_to(gas, shape) & (lungs == 0)] = -1000
    if nodule_mm is not None:
        (nz, ny, nx), diameter = nodule_mm
        hu[(z - nz) ** 2 + (y - ny) ** 2 + (x - nx) ** 2 <= (diameter / 2) ** 2] = 30
    hu += np.random.default_rng(seed).normal(0, 12, shape)
    return np.clip(np.rint(hu), -1024, 3071).astype(np.int16), lungs


def image(array, spacing_mm=SPACING_MM, origin_mm=(-100.0, -90.0, -200.0), direction=None):
    """An array as a SimpleITK image."""
    made = sitk.GetImageFromArray(array)
    made.SetSpacing(spacing_mm[::-1])
    made.SetOrigin(origin_mm)
    if direction is not None:
        made.SetDirection(direction)
    return made


def write_luna(root: Path, scans: dict, rows=(), **options) -> Path:
    """A LUNA16 folder: `scans` uid -> array, `rows` of annotations.csv."""
    (root / "subset0").mkdir(parents=True, exist_ok=True)
    for uid, array in scans.items():
        sitk.WriteImage(image(array, **options), str(root / "subset0" / f"{uid}.mhd"))
    lines = ["seriesuid,coordX,coordY,coordZ,diameter_mm", *(",".join(map(str, row)) for row in rows)]
    (root / "annotations.csv").write_text("\n".join(lines) + "\n")
    return root


def write_dicom(folder: Path, hu, spacing_mm=SPACING_MM, patient="SECRET-NAME", series="1.2.3.4", **tags) -> list[str]:
    """One file a slice, slices in the given order but under shuffled names; returns their SOP UIDs by slice."""
    folder.mkdir(parents=True, exist_ok=True)
    names = np.random.default_rng(1).permutation(len(hu))
    positions = tags.pop("positions", [(-100.0, -90.0, -200.0 + k * spacing_mm[0]) for k in range(len(hu))])
    for k, plane in enumerate(hu):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CTImageStorage, ExplicitVRLittleEndian
        meta.MediaStorageSOPInstanceUID = f"{series}.{k + 1}"
        path = folder / f"{names[k]:04d}.dcm"
        data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, f"{series}.{k + 1}"
        data.PatientID, data.PatientName, data.Modality = patient, "Secret^Name", "CT"
        data.SeriesInstanceUID, data.StudyInstanceUID = series, "1.2.3"
        data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.ImagePositionPatient = [float(v) for v in positions[k]]
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.PixelSpacing = [spacing_mm[1], spacing_mm[2]]
        data.Rows, data.Columns = plane.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
        data.RescaleSlope, data.RescaleIntercept = 1, -1024
        data.ConvolutionKernel = "STANDARD"
        for name, value in tags.items():
            setattr(data, name, value)
        data.PixelData = (plane.astype(np.int32) + 1024).astype(np.int16).tobytes()
        pydicom.dcmwrite(path, data, enforce_file_format=True)
    return [f"{series}.{k + 1}" for k in range(len(hu))]
