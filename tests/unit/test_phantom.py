"""The phantom cohort: reproducible, shaped like LUNA16, with a truth that agrees with its pictures."""

import ast
import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydantic import ValidationError

import lungsynth.cohort.phantom as phantom
from lungsynth.cohort.phantom import write
from lungsynth.cohort.phantom.chest import VERSION, Patient, make_patient
from lungsynth.cohort.phantom.grid import Grid, coverage, ellipse, ellipsoid, random_field, union
from lungsynth.cohort.phantom.nodules import DIAMETERS_MM, TEXTURES, draw_wanted
from lungsynth.cohort.phantom.tubes import add_thin, add_tube
from lungsynth.cohort.phantom.vessels import prim, tree_radii
from lungsynth.study.stages.cohort import Phantom

SMALL = Phantom(size_px=128, slices=48, slice_mm=5.0, diameter_min_mm=8.0)

PINNED_VERSION = 2
PINNED_CODE = "cd412aa15f58393d"
"""Digest of the generator's code, docstrings left out: see `code_digest`."""


@pytest.fixture(scope="module")
def small() -> Patient:
    return make_patient(SMALL, 2023, 0)


@pytest.fixture(scope="module")
def patient() -> Patient:
    return make_patient(Phantom(), 2023, 1)


@cache
def another(index: int) -> Patient:
    """A small patient of the cohort of seed 11."""
    return make_patient(SMALL, 11, index)


def same(first: Patient, second: Patient) -> bool:
    volumes = all(np.array_equal(getattr(first, v), getattr(second, v)) for v in ("image", "lungs", "labels"))
    return volumes and first.nodules == second.nodules and first.origin_mm == second.origin_mm


def at(patient: Patient, point_mm) -> tuple[int, int, int]:
    """The voxel (z, y, x) that holds a point (x, y, z)."""
    index = (np.asarray(point_mm) - patient.origin_mm) / patient.spacing_mm
    return tuple(np.rint(index[::-1]).astype(int))


# ------------------------------------------------------------ reproducibility


def test_same_seed_and_index_give_equal_bytes(small):
    assert same(small, make_patient(SMALL, 2023, 0))


def test_another_index_or_seed_is_another_patient(small):
    for other in (make_patient(SMALL, 2023, 1), make_patient(SMALL, 2024, 0)):
        assert (small.image != other.image).mean() > 0.5
        assert small.nodules != other.nodules


def folders(root):
    """Where scans, lungs and nodules lie in a LUNA16 folder."""
    return root / "subset3", root / "seg-lungs-LUNA16", root / "nodules"


def test_written_files_have_equal_bytes_each_time(small, tmp_path):
    for run in ("a", "b"):
        write.write_patient(small, *folders(tmp_path / run))
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(files) == 5
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def code_digest() -> str:
    """sha256 over the generator's modules as syntax trees without docstrings: comments and format do not count."""
    digest = hashlib.sha256()
    for path in sorted(Path(phantom.__file__).parent.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if hasattr(node, "body") and isinstance(node.body, list):
                node.body = [n for n in node.body if not _is_text(n)]
        digest.update(f"{path.name}\n{ast.dump(tree)}\n".encode())
    return digest.hexdigest()[:16]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def test_generator_is_changed_on_purpose_only():
    assert (VERSION, code_digest()) == (PINNED_VERSION, PINNED_CODE), (
        "The phantom generator changed. If its patients change with it, bump VERSION in lungsynth/cohort/phantom/"
        "chest.py, check new patients against real CT, and re-pin PINNED_VERSION, PINNED_CODE and the measures below."
    )


# ---------------------------------------------------------------------- truth


def test_shapes_types_and_hu_range(small):
    for volume in (small.image, small.lungs, small.labels):
        assert volume.shape == (48, 128, 128)
    assert (small.image.dtype, small.lungs.dtype, small.labels.dtype) == (np.int16, np.uint8, np.uint8)
    assert small.image.min() == -1024 and 800 < small.image.max() <= 3071
    assert set(np.unique(small.lungs)) == {0, 3, 4, 5}
    assert small.spacing_mm == (2.8, 2.8, 5.0)
    assert all(o < 0 for o in small.origin_mm)


def test_left_lung_is_at_larger_x_and_the_airway_between(small):
    x = {k: np.nonzero(small.lungs == k)[2].mean() for k in (3, 4, 5)}
    assert x[3] > x[5] > x[4]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_nodules_lie_in_the_lungs_and_agree_with_their_labels(index):
    patient = another(index)
    assert 8 <= len(patient.nodules) <= 10
    assert set(np.unique(patient.labels)) == set(range(len(patient.nodules) + 1))
    assert np.isin(patient.lungs[patient.labels > 0], (3, 4)).all()
    for number, nodule in enumerate(patient.nodules, 1):
        # scaling to the wanted size stops within a few per cent of the range
        assert 0.9 * SMALL.diameter_min_mm <= nodule.diameter_mm <= 1.1 * SMALL.diameter_max_mm
        assert patient.labels[at(patient, nodule.centre_mm)] == number
        assert nodule.texture == TEXTURES[nodule.kind]


def test_label_volumes_match_the_diameters(patient):
    voxel = np.prod(patient.spacing_mm)
    for number, nodule in enumerate(patient.nodules, 1):
        diameter = (6 * (patient.labels == number).sum() * voxel / np.pi) ** (1 / 3)
        assert diameter == pytest.approx(nodule.diameter_mm, rel=0.12 if nodule.diameter_mm > 6 else 0.25)


def test_nodules_keep_clear_of_each_other(patient):
    for k, first in enumerate(patient.nodules):
        for second in patient.nodules[k + 1 :]:
            gap = np.sqrt(np.square(np.subtract(first.centre_mm, second.centre_mm)).sum())
            assert gap > (first.diameter_mm + second.diameter_mm) / 2


def test_textures_have_their_hu():
    found = {kind: [] for kind in ("solid", "part_solid", "ground_glass")}
    for index in range(4):
        for nodule in another(index).nodules:
            found[nodule.texture].append(nodule.mean_hu)
    assert -780 < np.median(found["ground_glass"]) < -500 < np.median(found["part_solid"]) < -200
    assert -200 < np.median(found["solid"]) < 100


def test_pinned_measures_of_a_patient(patient):
    lungs = np.isin(patient.lungs, (3, 4))
    plain = lungs & (patient.labels == 0)
    measured = {
        "lung volume, l": lungs.sum() * np.prod(patient.spacing_mm) / 1e6,
        "lung mean, HU": patient.image[plain].mean(),
        "vessel share, %": 100 * (patient.image[plain] > -500).mean(),
        "nodule mean, HU": patient.image[patient.labels > 0].mean(),
    }
    # loose enough for another machine's rounding, tight enough for any change of the anatomy
    pinned = {
        "lung volume, l": 3.241,
        "lung mean, HU": -859.2,
        "vessel share, %": 2.00,
        "nodule mean, HU": -168.7,
    }
    assert measured == pytest.approx(pinned, rel=0.02)


# --------------------------------------------------------------------- wishes


def test_kinds_and_diameters_follow_the_wanted_distributions():
    rng = np.random.default_rng(1)
    wanted = [w for _ in range(300) for w in draw_wanted(rng, Phantom())]
    glass = np.mean([w.kind == "ground_glass" for w in wanted])
    assert glass == pytest.approx(0.30, abs=0.02)
    diameters = [w.diameter_mm for w in wanted]
    assert min(diameters) >= 4.0 and max(diameters) <= 30.0
    # the dealing of kinds to sizes leaves the distribution of LUNA16 as it is
    assert np.quantile(diameters, (0.25, 0.5, 0.75)) == pytest.approx(
        np.quantile(DIAMETERS_MM, (0.25, 0.5, 0.75)), rel=0.06
    )
    assert all(w.diameter_mm > 4.5 for w in wanted if w.kind == "spiculated")


@pytest.mark.parametrize(
    "wrong",
    [{"size_px": 300}, {"slices": 60}, {"nodules_min": 9, "nodules_max": 3}, {"nodule": 1}, {"diameter_min_mm": 30.0}],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        Phantom(**wrong)


# --------------------------------------------------------------------- folder


def test_folder_is_shaped_like_luna16(small, tmp_path):
    write.write_patient(small, *folders(tmp_path))
    names = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    uid = small.uid
    assert uid == "phantom-0000"
    assert names == {
        f"subset3/{uid}.mhd", f"subset3/{uid}.raw", f"seg-lungs-LUNA16/{uid}.mhd", f"seg-lungs-LUNA16/{uid}.zraw",
        f"nodules/{uid}.nii.gz",
    }  # fmt: skip
    header = (tmp_path / f"subset3/{uid}.mhd").read_text()
    assert "ElementType = MET_SHORT" in header and "CompressedData = False" in header
    scan = sitk.ReadImage(str(tmp_path / f"subset3/{uid}.mhd"))
    for name, volume in ((f"seg-lungs-LUNA16/{uid}.mhd", small.lungs), (f"nodules/{uid}.nii.gz", small.labels)):
        image = sitk.ReadImage(str(tmp_path / name))
        assert np.array_equal(sitk.GetArrayFromImage(image), volume)
        # NIfTI keeps its geometry in float32
        assert image.GetSpacing() == pytest.approx(scan.GetSpacing(), rel=1e-6)
        assert image.GetOrigin() == pytest.approx(scan.GetOrigin(), rel=1e-6)
        assert image.GetDirection() == pytest.approx((1, 0, 0, 0, 1, 0, 0, 0, 1))
    assert np.array_equal(sitk.GetArrayFromImage(scan), small.image)


def test_annotated_points_hit_their_labels_in_the_written_files(small, tmp_path):
    write.write_patient(small, *folders(tmp_path))
    labels = sitk.ReadImage(str(tmp_path / "nodules" / f"{small.uid}.nii.gz"))
    rows = write.annotation_rows(small)
    assert list(rows[0]) == ["seriesuid", "coordX", "coordY", "coordZ", "diameter_mm"]
    assert len(rows) == len(small.nodules)
    for number, row in enumerate(rows, 1):
        point = [row[k] for k in ("coordX", "coordY", "coordZ")]
        assert labels.GetPixel(labels.TransformPhysicalPointToIndex(point)) == number


def test_truth_tells_kind_texture_and_attachment(small):
    rows = write.truth_rows(small)
    assert [row["label"] for row in rows] == list(range(1, len(rows) + 1))
    assert {row["attachment"] for row in rows} <= {"isolated", "juxta_pleural", "juxta_vascular"}
    assert {row["kind"] for row in rows} <= set(TEXTURES)


# ------------------------------------------------------------- closed forms

GRID = Grid(size_px=128, slices=60, pixel_mm=1.0, slice_mm=1.0)


def test_distances_of_circle_and_sphere_are_exact():
    x = np.linspace(-30, 30, 61, dtype=np.float32)
    assert ellipse(x, np.float32(0), np.float32(20), np.float32(20))[[5, 20, 60]] == pytest.approx(
        [5, -10, 10], abs=1e-3
    )
    sphere = ellipsoid(x, np.float32(3), np.float32(4), (20, 20, 20))
    assert sphere == pytest.approx(np.sqrt(x**2 + 25) - 20, abs=0.02)


def test_union_is_the_minimum_away_from_the_seam():
    assert union(np.float32(-20), np.float32(5), 5.0) == pytest.approx(-20)
    assert union(np.float32(3), np.float32(3), 8.0) == pytest.approx(3 - 8 / 4)


def test_tube_has_the_volume_of_a_capsule():
    distance = GRID.full(99)
    add_tube(distance, GRID, np.array([[0, 0, 15.0], [0, 0, 45.0]]), 8.0)
    want = np.pi * 64 * 30 + 4 / 3 * np.pi * 512
    assert coverage(distance, 1.0).sum() == pytest.approx(want, rel=0.01)


def test_thin_vessels_keep_their_volume():
    share = GRID.full(0)
    start, end = np.array([[-20.0, 3, 12], [5, 5, 20]]), np.array([[20.0, 9, 40], [9, -30, 22]])
    radius = np.array([0.3, 0.2])
    add_thin(share, GRID, start, end, radius, radius)
    want = (np.pi * radius**2 * np.sqrt(((end - start) ** 2).sum(1))).sum()
    assert share.sum() == pytest.approx(want, rel=1e-4)


def test_random_field_has_unit_sd_and_is_smooth():
    field = random_field(np.random.default_rng(0), GRID, 12.0)
    assert field.shape == GRID.coarse_shape and field.dtype == np.float32
    assert field.std() == pytest.approx(1, abs=0.05)
    assert np.abs(np.diff(field, axis=2)).mean() < 0.2


def test_prim_without_path_weight_grows_the_minimum_spanning_tree():
    from scipy.sparse.csgraph import minimum_spanning_tree
    from scipy.spatial.distance import cdist

    points = np.random.default_rng(3).uniform(0, 20, (60, 3))
    nodes, parent = prim(points[0], points[1:], np.full(59, -1), 0.0)
    length = np.sqrt(((nodes[1:] - nodes[parent[1:]]) ** 2).sum(1)).sum()
    assert length == pytest.approx(minimum_spanning_tree(cdist(points, points)).sum(), rel=1e-5)


def test_radii_follow_murray():
    #      0 - 1 - 2, 1 - 3
    radius = tree_radii(np.array([-1, 0, 1, 1]), 0.5, 3.0)
    assert radius[[2, 3]] == pytest.approx([0.5, 0.5])
    assert radius[[0, 1]] == pytest.approx([0.5 * 2 ** (1 / 3)] * 2)
