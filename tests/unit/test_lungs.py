"""Lungs are found where they are, on the right side, and nowhere else."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from chest_samples import SPACING_MM, chest

from lungsynth.ct.lungs import segment_slice, segment_volume
from lungsynth.ct.volume import Volume

DATA = os.environ.get("LUNGSYNTH_DATA", "")


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.fixture(scope="module")
def phantom():
    hu, lungs = chest()
    return hu, lungs, segment_volume(Volume(hu, SPACING_MM))


def test_both_lungs_are_found_on_their_sides(phantom):
    _, truth, found = phantom
    assert dice(found == 1, truth == 1) > 0.97
    assert dice(found == 2, truth == 2) > 0.97


def test_trachea_gas_and_air_under_the_skin_are_no_lung(phantom):
    hu, truth, found = phantom
    elsewhere = (hu < -950) & (truth == 0)
    assert elsewhere.sum() > 1000
    assert np.count_nonzero(found[elsewhere]) < 0.005 * np.count_nonzero(found)


@pytest.mark.parametrize("flip", [(0, 0, 1), (0, 1, 1), (1, 0, 0), (1, 1, 0)])
def test_the_sides_follow_the_patient_and_not_the_array(phantom, flip):
    hu, _, found = phantom
    turned = tuple(slice(None, None, -1 if f else 1) for f in flip)
    direction = np.diag([-1.0 if f else 1.0 for f in flip[::-1]]).ravel()
    again = segment_volume(Volume(np.ascontiguousarray(hu[turned]), SPACING_MM, direction=tuple(direction)))
    assert np.array_equal(again[turned], found)


@pytest.mark.parametrize("diameter", [12, 16, 24])
def test_a_nodule_on_the_outer_wall_belongs_to_the_lung(diameter):
    centre = (0.0, 0.0, -65 - 52 + 0.3 * diameter)
    hu, truth = chest(nodule_mm=(centre, diameter))
    found = segment_volume(Volume(hu, SPACING_MM))
    nodule = (hu > -100) & (truth == 1)
    assert nodule.sum() > 5
    assert np.mean(found[nodule] == 1) > 0.9


def test_a_nodule_in_the_middle_belongs_to_the_lung():
    hu, truth = chest(nodule_mm=((0, 0, 65), 20))
    found = segment_volume(Volume(hu, SPACING_MM))
    assert np.all(found[(hu > -100) & (truth == 2)] == 2)


def test_another_grid_gives_the_same_volume():
    litres = []
    for shape, spacing in (((40, 128, 128), (5.0, 2.5, 2.5)), ((80, 224, 224), (2.5, 1.4, 1.4))):
        hu, _ = chest(shape, spacing)
        litres.append(np.count_nonzero(segment_volume(Volume(hu, spacing))) * np.prod(spacing) / 1e6)
    assert litres[0] == pytest.approx(litres[1], rel=0.03)


@pytest.mark.parametrize("value", [-1000, 40])
def test_an_image_without_a_chest_has_no_lungs(value):
    hu = np.full((20, 64, 64), value, np.int16)
    assert not segment_volume(Volume(hu, SPACING_MM)).any()
    assert not segment_slice(hu[0], 2.5).any()


@pytest.mark.parametrize(("size", "mm_per_px"), [(160, 2.0), (256, 1.4)])
def test_a_slice_shows_both_lungs(size, mm_per_px):
    hu, truth = chest((8, size, size), (25.0, mm_per_px, mm_per_px))
    found = segment_slice(hu[4], mm_per_px)
    assert dice(found == 1, truth[4] == 1) > 0.95
    assert dice(found == 2, truth[4] == 2) > 0.95


def test_a_slice_with_one_lung_counts_only_where_one_is_enough():
    hu, truth = chest((8, 160, 160), (25.0, 2.0, 2.0))
    plane = np.where(truth[4] == 2, 40, hu[4]).astype(np.int16)
    assert not segment_slice(plane, 2.0).any()
    assert set(np.unique(segment_slice(plane, 2.0, both=False))) == {0, 1}


def test_noise_and_stripes_are_no_lungs():
    noise = np.random.default_rng(3).normal(-500, 300, (160, 160))
    stripes = np.where(np.arange(160) % 20 < 10, -900, 40) * np.ones((160, 1))
    for picture in (noise, stripes):
        assert not segment_slice(np.clip(picture, -1024, 400).astype(np.int16), 2.0).any()


@pytest.mark.skipif(not DATA, reason="LUNGSYNTH_DATA is not set: no real slices")
def test_real_slices_with_and_without_lungs(tmp_path):
    import pandas as pd
    import SimpleITK as sitk

    folder = Path(DATA) / "tcga_ct_slices"
    with tarfile.open(folder / "tcga_ct_slices.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    found = {}
    table = pd.read_csv(folder / "slices.csv")
    for row in table.itertuples():
        hu = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "tcga_ct_slices" / row.file)))[0]
        found[row.file] = segment_slice(np.clip(hu, -1024, 3071), row.pixel_spacing_mm, both=False).any()
    seen = table.assign(found=table.file.map(found)).groupby("lung_by_eye").found
    assert seen.sum()["no"] == 0
    assert seen.mean()["yes"] > 0.9
