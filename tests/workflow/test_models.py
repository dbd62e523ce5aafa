"""The shipped segmenter on strangers' data: patches are scored, folders of scans get masks on their own grids, and no
name of a patient comes out."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from conftest import ROOT, copy_of_repository

sys.path.insert(0, str(ROOT / "tests/unit"))
from chest_samples import chest, image, write_dicom, write_luna

LEAST_DICE = 0.8
"""Of round, sharp nodules. Weights of 500 training steps, far from the released ones, have 0.92."""
SPACING, SHAPE = (8.0, 2.8, 2.8), (24, 112, 112)
BALL_MM = ((0.0, 10.0, -65.0), 14.0)
UID = "1.3.6.1.4.1.14519.5.2.1.6279.6001.77"
NAMES = (b"Abernathy", b"Quenby", b"Xerxesson", b"SECRET-NAME", b"Secret^Name")


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy of the repository for both targets."""
    return copy_of_repository(tmp_path_factory.mktemp("models"))


def run(copy: Path, data: Path, target: str, *more: str) -> subprocess.CompletedProcess:
    """`LUNGSYNTH_DATA=data snakemake target --configfile studies/target.yaml` on one core."""
    command = [sys.executable, "-m", "snakemake", target, "--cores", "1", "--configfile", f"studies/{target}.yaml"]
    return subprocess.run(
        [*command, *more],
        cwd=copy,
        capture_output=True,
        text=True,
        env={**os.environ, "LUNGSYNTH_DATA": str(data)},
        check=False,
    )


def finished(copy: Path, data: Path, target: str) -> Path:
    """The folder of results of a target that ran to its end, and has nothing to do when it is asked again."""
    first = run(copy, data, target)
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-6000:]
    again = run(copy, data, target)
    assert "Nothing to be done" in again.stdout + again.stderr
    return copy / "results" / target


def no_names(copy: Path, target: str) -> bool:
    """Whether no file of the results or the logs names a patient, in its name or its content."""
    files = [path for part in ("results", "logs") for path in (copy / part / target).rglob("*")]
    assert files
    for path in files:
        content = path.read_bytes() if path.is_file() else b""
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        told = [name for name in NAMES if name in content or name in os.fsencode(path.relative_to(copy))]
        assert not told, f"{path}: {told}"
    return True


def write_patches(folder: Path) -> None:
    """Balls of 6 to 18 px in lung, of two strangers and a patient whom the study leaves out; one mask is empty."""
    folder.mkdir(parents=True)
    y, x = np.mgrid[:71, :71] - 35
    noise, rows, images, masks = np.random.default_rng(0), [], [], []
    for k in range(13):
        radius = 3 + k % 7
        images.append(-860 + 880 / (1 + np.exp((np.hypot(y, x) - radius) / 0.6)) + noise.normal(0, 25, y.shape))
        masks.append((y**2 + x**2 <= radius**2) & (k != 5))
        patient = "LIDC-IDRI-0001" if k == 12 else ["Abernathy^Quenby", "Xerxesson"][k % 2]
        rows.append((k, patient, f"1.2.{k}", 0.7 if k % 3 else 1.2, 1 + k % 4, 1.4 * radius))
    columns = ["index", "patient_id", "series_uid", "pixel_spacing_mm", "n_readers_slice", "eq_diam_mm"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "nodules.csv", index=False)
    np.savez_compressed(folder / "nodules.npz", image=np.rint(images).astype(np.int16), mask=np.array(masks))


def test_nodule_patches_are_scored(copy, tmp_path):
    write_patches(tmp_path / "lidc_nodules")
    segment = finished(copy, tmp_path, "score_patches") / "segment"
    groups = pd.read_csv(segment / "patches.csv").set_index("group")
    assert groups.loc["all", ["nodules", "patients"]].tolist() == [11, 2]
    assert groups.loc["all", "dice"] > LEAST_DICE
    assert groups.loc["all", "low"] <= groups.loc["all", "dice"] <= groups.loc["all", "high"]
    assert groups.loc["all", "dice_whole"] > LEAST_DICE
    assert groups.loc["all", ["untouched", "untouched_whole"]].tolist() == [0, 0]
    each = pd.read_csv(segment / "patch_nodules.csv")
    assert sorted(each["index"]) == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert each["dice"].mean() == pytest.approx(groups.loc["all", "dice"])
    assert sitk.ReadImage(str(segment / "patches.png")).GetSize()[0] > 100
    assert no_names(copy, "score_patches")


def test_patches_that_another_reader_should_give_are_refused_in_one_line(copy, tmp_path):
    (tmp_path / "scans").mkdir()
    sources = "cohort={sources: [{reader: nifti, path: scans}]}"
    told = run(copy, tmp_path, "score_patches", "--config", "study=elsewhere", sources)
    lines = [line for line in told.stderr.splitlines() if line.startswith("lungsynth:")]
    assert told.returncode == 1
    assert len(lines) == 1
    assert "cohort.sources: the reader 'nifti' gives no patches to score; name reader: patches" in lines[0]


def test_damaged_weights_are_refused_in_one_line(copy, tmp_path):
    write_patches(tmp_path / "lidc_nodules")
    weights = copy / "models/nodule_segmenter/weights.safetensors"
    whole = weights.read_bytes()
    try:
        weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        told = run(copy, tmp_path, "score_patches", "--config", "study=damaged")
    finally:
        weights.write_bytes(whole)
    lines = [line for line in told.stderr.splitlines() if line.startswith("lungsynth:")]
    assert told.returncode == 1
    assert len(lines) == 1
    assert "weights.safetensors: its SHA-256 is not the one that recipe.json states" in lines[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Scans with a ball of 14 mm as DICOM, as NIfTI with other axes, and in LUNA16's layout; and one without lungs."""
    root = tmp_path_factory.mktemp("scans")

    def scan(seed):
        return chest(SHAPE, SPACING, BALL_MM, seed)[0]

    write_dicom(root / "Abernathy_Quenby", scan(0), SPACING)
    (root / "nifti").mkdir()
    turned = sitk.DICOMOrient(image(scan(1), SPACING, (-157.2, -140.8, -201.4)), "PSR")
    sitk.WriteImage(turned, str(root / "nifti/Quenby_Xerxesson.nii.gz"))
    luna = image(scan(2), SPACING)
    place = luna.TransformContinuousIndexToPhysicalPoint(centre())
    write_luna(root / "luna", {UID: scan(2)}, [(UID, *place, BALL_MM[1])], spacing_mm=SPACING)
    everywhere = f"seriesuid,coordX,coordY,coordZ,diameter_mm\n{UID},{place[0]},{place[1]},{place[2]},900\n"
    (root / "luna/annotations_excluded.csv").write_text(everywhere)
    water = scan(3)
    water[water < -500] = 40
    water[:, :8] = -1000
    sitk.WriteImage(image(water, SPACING), str(root / "nifti/water.nii.gz"))
    return root


@pytest.fixture(scope="module")
def segmented(copy, folder) -> Path:
    """The results of that folder."""
    return finished(copy, folder, "segment_folder")


def centre() -> list[float]:
    """Of the ball, (x, y, z) in voxels of an image with axes L, P, S."""
    return [(n - 1) / 2 + mm / step for n, mm, step in zip(SHAPE, BALL_MM[0], SPACING, strict=True)][::-1]


def source_of(root: Path, reader: str) -> sitk.Image:
    """The image as another program reads it from the folder."""
    if reader == "dicom":
        series = sitk.ImageSeriesReader()
        series.SetFileNames(series.GetGDCMSeriesFileNames(str(root / "Abernathy_Quenby")))
        return series.Execute()
    path = root / {"nifti": "nifti/Quenby_Xerxesson.nii.gz", "luna16": f"luna/subset0/{UID}.mhd"}[reader]
    return sitk.ReadImage(str(path))


def test_a_folder_of_scans_gets_masks_candidates_and_a_score(copy, folder, segmented):
    results = segmented
    listed = pd.read_csv(results / "cohort/scans.csv").set_index("scan")["extra"].map(json.loads)
    found = pd.read_csv(results / "segment/candidates.csv")
    masks = {path.name.removesuffix(".nii.gz"): path for path in (results / "segment/masks").glob("*/*.nii.gz")}
    assert len(listed) == 4
    assert len(masks) == 3
    assert "no lungs found" in (results / "cohort/quarantine.csv").read_text()
    for name, path in masks.items():
        mask, source = sitk.ReadImage(str(path)), source_of(folder, listed[name]["reader"])
        for what in ("GetSize", "GetOrigin", "GetSpacing", "GetDirection"):
            np.testing.assert_allclose(getattr(mask, what)(), getattr(source, what)(), atol=1e-4, err_msg=what)
        mine = found[(found["scan"] == name) & found["shown"]]
        places = mine[["x_mm", "y_mm", "z_mm"]].to_numpy()
        ball = sitk.DICOMOrient(source, "LPS").TransformContinuousIndexToPhysicalPoint(centre())
        distance = np.linalg.norm(places - ball, axis=1)
        assert distance.min() < BALL_MM[1] / 2
        assert distance.argmin() == mine["probability"].argmax()
        best = mine.iloc[distance.argmin()]
        place = best[["x_mm", "y_mm", "z_mm"]].tolist()
        assert mask.GetPixel(mask.TransformPhysicalPointToIndex(place)) == best["label"]
    score = pd.read_csv(results / "segment/official/score.csv").set_index("system")
    assert (score["scans"] == 1).all()
    assert (score["true_positives"] == 1).all()
    assert score.loc["all candidates", "ignored"] > 0
    assert (score["false_positives"] == 0).all()
    assert (results / "segment/official/froc.png").is_file()
    assert (results / "cohort/qc.html").is_file()
    assert no_names(copy, "segment_folder")


@pytest.mark.usefixtures("segmented")
def test_a_folder_that_fails_fails_again_and_never_shows_the_results_of_another(copy, tmp_path):
    for _ in range(2):
        told = run(copy, tmp_path, "segment_folder")
        assert told.returncode == 1
        assert "no whole scan in the folder" in told.stderr
