"""Lungs are found where they are, on the right side, and nowhere else."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from chest_samples import SPACING_MM, chest
from pydicom import dcmread
from scipy import ndimage as ndi

from lungsynth.cohort import checks
from lungsynth.cohort.dicom.boxes import read_boxes
from lungsynth.cohort.registry import READERS
from lungsynth.ct import lungs
from lungsynth.ct.lungs import segment_slice, segment_volume
from lungsynth.ct.volume import Volume, read, upright

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
    again = segment_volume(upright(Volume(np.ascontiguousarray(hu[turned]), SPACING_MM, direction=tuple(direction))))
    assert np.array_equal(again, found)


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


@pytest.mark.parametrize("margin_px", [2, 6])
def test_an_image_that_ends_beside_the_lungs_shows_the_same_lungs(phantom, margin_px):
    hu, _, found = phantom
    rows, columns = (np.flatnonzero((found > 0).any(axes)) for axes in ((0, 2), (0, 1)))
    box = np.s_[:, rows[0] - margin_px : rows[-1] + 1 + margin_px, columns[0] - margin_px : columns[-1] + 1 + margin_px]
    again = segment_volume(Volume(np.ascontiguousarray(hu[box]), SPACING_MM))
    assert dice(again > 0, found[box] > 0) > 0.95


def test_a_recess_beside_the_other_lung_goes_to_the_lung_that_it_continues():
    """A thin slip of the right lung runs to the middle, below where the left lung alone is thick."""
    air = np.zeros((6, 20, 40), bool)
    seeds = np.zeros(air.shape, np.uint8)
    air[2:, 2:18, 2:19], air[2:, 2:18, 24:38] = True, True
    seeds[2:, 5:15, 5:15], seeds[2:, 5:15, 28:34] = 1, 2
    air[:2, 8:10, 10:19] = True
    air[:2, 4:16, 24:36] = True
    seeds[:2, 6:12, 27:33] = 2
    grown = lungs._grow(seeds, air, 12)
    assert set(np.unique(grown[:, :, :20])) == {0, 1}
    assert set(np.unique(grown[:, :, 20:])) == {0, 2}
    assert np.array_equal(grown > 0, air)


def test_a_bulla_is_no_trachea():
    hu, truth = chest((8, 160, 160), (25.0, 2.0, 2.0))
    y, x = np.ogrid[:160, :160]
    hu[4][(y - 80) ** 2 + (x - 64) ** 2 < 25] = -1000
    assert truth[4, 80, 64] == 1
    assert segment_slice(hu[4], 2.0)[80, 64] == 1
    assert segment_slice(hu[4], 2.0)[75, 79] == 0  # the trachea


def places(shape=(40, 128, 128), spacing_mm=SPACING_MM):
    """z, y, x of a chest's voxels from the middle of the image, mm."""
    return (
        ((np.arange(n) - (n - 1) / 2) * s).reshape([-1 if i == k else 1 for i in range(3)])
        for k, (n, s) in enumerate(zip(shape, spacing_mm, strict=True))
    )


def with_heart(hu):
    """A chest with a heart that stands in the front of the left lung, on the diaphragm; and where it is."""
    z, y, x = places()
    heart = np.broadcast_to(((x - 25) / 45) ** 2 + ((y + 25) / 40) ** 2 + ((z + 60) / 70) ** 2 <= 1, hu.shape)
    return np.where(heart, 40, hu).astype(np.int16), heart


def with_vessels(hu, lungs, darker):
    """A chest whose lungs hold vessels and are darker by so many HU, where `darker` names their sides."""
    z, y, x = places()
    vessels = (np.abs((x + 0.3 * z) % 16 - 8) < 2) & (np.abs((y - 0.3 * z) % 16 - 8) < 2) & (lungs > 0)
    hu = np.where(vessels, -100, hu).astype(np.int16)
    for side, less in darker.items():
        hu[(lungs == side) & ~vessels] -= less
    return hu


@pytest.mark.parametrize("side", [1, 2])
def test_a_consolidation_at_the_back_wall_belongs_to_the_lung_and_the_heart_does_not(side):
    hu, truth = chest()
    hu, heart = with_heart(hu)
    z, y, _ = places()
    white = (truth == side) & (y > 25) & (np.abs(z) < 45) & ~heart
    before = segment_volume(Volume(hu, SPACING_MM))
    found = segment_volume(Volume(np.where(white, 40, hu).astype(np.int16), SPACING_MM))
    assert white.sum() > 3000
    assert np.mean(found[white] == side) > 0.9
    assert np.mean(found[heart] > 0) <= np.mean(before[heart] > 0) + 0.01
    assert np.count_nonzero(found) < 1.01 * np.count_nonzero(before)


def test_a_consolidation_down_to_the_diaphragm_belongs_to_the_lung():
    hu, truth = chest()
    z, y, _ = places()
    white = (truth == 1) & (y > 10) & (z < 10)
    found = segment_volume(Volume(np.where(white, 40, hu).astype(np.int16), SPACING_MM))
    middle = white & (z > -45)
    assert np.mean(found[middle] == 1) > 0.9
    assert np.mean(found[truth == 0] > 0) < 0.005


def test_a_mass_between_hilum_and_spine_belongs_to_the_lung_above_which_it_lies():
    hu, truth = chest()
    z, y, x = places()
    mass = np.broadcast_to(((x + 25) / 28) ** 2 + ((y - 35) / 25) ** 2 + ((z - 10) / 25) ** 2 <= 1, hu.shape)
    found = segment_volume(Volume(np.where(mass, 40, hu).astype(np.int16), SPACING_MM))
    lost = mass & (truth == 1)
    assert lost.sum() > 500
    assert np.mean(found[lost] == 1) > 0.9


def test_a_slice_with_a_consolidation_at_the_back_shows_the_whole_lung():
    hu, truth = chest((8, 160, 160), (25.0, 2.0, 2.0))
    rows = np.arange(160)[:, None]
    white = (truth[4] == 2) & (rows > 90)
    found = segment_slice(np.where(white, 60, hu[4]).astype(np.int16), 2.0)
    assert np.mean(found[white] == 2) > 0.9
    assert dice(found == 1, truth[4] == 1) > 0.95


@pytest.mark.parametrize("darker", [{1: 110, 2: 110}, {2: 130}, {1: 130}])
def test_an_emphysematous_lung_is_no_bowel(darker):
    hu, truth = chest()
    hu = with_vessels(hu, truth, darker)
    dark = np.isin(truth, list(darker)) & (hu < -400)
    assert np.mean(hu[dark] < -950) > 0.5
    found = segment_volume(Volume(hu, SPACING_MM))
    assert min(dice(found == side, truth == side) for side in (1, 2)) > 0.95


def test_a_chest_wall_of_few_millimetres_closes_the_lung():
    """A wasted patient on a couch: the wall is thinner than what is cut off to part them."""
    hu, truth = chest()
    z, y, x = places()
    low = np.abs(z) < 60
    within = (x / 125) ** 2 + (y / 87) ** 2 <= 1
    wide = low & ((x / 120) ** 2 + (y / 82) ** 2 <= 1) & (np.abs(x) > 25)
    hu = np.where(low, np.where(wide, -860, np.where(within, 40, -1000)), hu).astype(np.int16)
    hu[:, 115:118] = 100
    found = segment_volume(Volume(hu, SPACING_MM))
    assert dice(found > 0, np.where(low, wide, truth > 0)) > 0.95
    assert not found[:, 112:].any()


def test_a_white_lung_is_said():
    hu, truth = chest()
    found = segment_volume(Volume(np.where(truth == 2, 40, hu).astype(np.int16), SPACING_MM))
    assert dice(found == 1, truth == 1) > 0.97
    assert not (found == 2).any()
    assert "left lung was not found" in checks.lung_note(found, "volume")
    assert checks.lung_note(np.where(truth == 2, (truth == 2) * (np.arange(128) < 70) * 2, truth), "volume")
    slices = np.cumsum(np.count_nonzero(truth == 2, axis=(1, 2)))
    under_water = (truth == 2) & (slices < 0.6 * slices[-1])[:, None, None]  # an effusion fills the lower part
    assert "left lung is 29 %" in checks.lung_note(np.where(under_water, 0, truth), "volume")
    assert not checks.lung_note(truth, "volume")
    assert not checks.lung_note(found, "slice")


def unpacked(name: str, folder: str, tmp: Path) -> Path:
    """A folder of the real data, as it lies under LUNGSYNTH_DATA or from its archive there."""
    if any((Path(DATA) / name).rglob("*.dcm")):
        return Path(DATA) / name
    archive = Path(DATA) / folder / f"{name}.tar.xz"
    if not archive.is_file():
        pytest.skip(f"{name} is not under LUNGSYNTH_DATA")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp, filter="data")
    return tmp / name


def real_scan(name: str, tmp: Path):
    """One of the whole scans as its reader gives it, and its lungs."""
    root = unpacked(name, "ct_scans", tmp)
    kind = "lidc" if name.startswith("LIDC") else "dicom"
    reader = READERS.get(kind)(READERS.settings(kind)(path=name), root)
    scan = reader.read(reader.list()[0])
    return scan, segment_volume(scan.volume)


@pytest.mark.skipif(not DATA, reason="LUNGSYNTH_DATA is not set: no real scans")
@pytest.mark.parametrize(
    ("name", "litres"), [("LIDC-IDRI-0001", (2.0, 1.8)), ("LIDC-IDRI-0002", (2.8, 2.5)), ("Lung_Dx-A0002", (1.2, 1.6))]
)
def test_real_scans_and_their_nodules(name, litres, tmp_path):
    """Both lungs, no gas of trachea, stomach or bowel in them, and every lesion in a lung or within 2 mm of it."""
    scan, found = real_scan(name, tmp_path)
    volume = scan.volume
    for side, expected in zip((1, 2), litres, strict=True):
        assert np.count_nonzero(found == side) * np.prod(volume.spacing_mm) / 1e6 == pytest.approx(expected, rel=0.05)
    assert scan.marks
    for mark in scan.marks:
        box = volume.window_round(mark.centre_mm, mark.diameter_mm / 2 + 10)
        away_mm = ndi.distance_transform_edt(found[box] == 0, sampling=volume.spacing_mm)
        centre = np.rint(volume.to_index(mark.centre_mm)).astype(int) - [s.start for s in box]
        assert away_mm[tuple(centre)] <= 2
        if scan.nodules is not None:
            assert np.count_nonzero(scan.nodules[box] == mark.label) == np.count_nonzero(scan.nodules == mark.label)
            assert np.all(away_mm[scan.nodules[box] == mark.label] <= 2)
    assert gas_in(found, volume) < 1e-5


@pytest.mark.skipif(not DATA, reason="LUNGSYNTH_DATA is not set: no real scans")
def test_a_real_mass_at_the_hilum_belongs_to_the_lung(tmp_path):
    """The centre of every box, and most of the tissue in them; their corners reach over heart and spine."""
    root = unpacked("Lung_Dx-A0002", "ct_scans", tmp_path)
    scan, found = real_scan("Lung_Dx-A0002", tmp_path)
    headers = [dcmread(path, stop_before_pixels=True) for path in root.rglob("*.dcm")]
    planes = {header.SOPInstanceUID: float(header.ImagePositionPatient[2]) for header in headers}
    boxes, tissue = 0, []
    for path in sorted(root.rglob("*.xml")):
        plane = round(float((planes[path.stem] - scan.volume.origin_mm[2]) / scan.volume.spacing_mm[0]))
        for box in read_boxes(path, plane):
            boxes += 1
            (top, left), (bottom, right) = ([round(v) for v in corner] for corner in (box.low, box.high))
            assert found[plane, (top + bottom) // 2, (left + right) // 2] == 1
            window = np.s_[plane, top:bottom, left:right]
            tissue.append(found[window][scan.volume.hu[window] > -300] == 1)
    assert np.mean(np.concatenate(tissue)) > 0.8
    assert boxes == 10


@pytest.mark.skipif(not DATA, reason="LUNGSYNTH_DATA is not set: no real scans")
def test_a_real_scan_of_a_wasted_patient_shows_both_lungs(tmp_path):
    archive = Path(DATA) / "ct_series" / "other.tar.xz"
    if not archive.is_file():
        pytest.skip("ct_series is not under LUNGSYNTH_DATA")
    with tarfile.open(archive) as packed:
        packed.extract(next(m for m in packed if Path(m.name).name == "cap001.nii"), tmp_path, filter="data")
    volume = read(next(tmp_path.rglob("cap001.nii")))
    found = segment_volume(volume)
    for side, litres in ((1, 2.9), (2, 3.2)):
        assert np.count_nonzero(found == side) * np.prod(volume.spacing_mm) / 1e6 == pytest.approx(litres, rel=0.05)


def gas_in(found, volume) -> float:
    """Share of the lungs' voxels that lie in wide gas as of trachea, stomach or bowel, away from its edge."""
    smooth = ndi.uniform_filter(volume.hu[:, ::2, ::2].astype(np.float32), (1, 3, 3))
    parts, n = ndi.label(ndi.binary_erosion(smooth < -940, np.ones((1, 3, 3))))
    sizes_ml = np.bincount(parts.ravel(), minlength=n + 1) * 4 * np.prod(volume.spacing_mm) / 1000
    wide = sizes_ml > 2
    wide[0] = False
    inside = found[:, ::2, ::2] > 0
    return np.count_nonzero(inside & wide[parts]) / np.count_nonzero(inside)


@pytest.mark.skipif(not DATA, reason="LUNGSYNTH_DATA is not set: no real scans")
def test_a_real_scan_keeps_its_lungs_on_another_grid(tmp_path):
    scan, found = real_scan("Lung_Dx-A0002", tmp_path)
    dz, dy, dx = scan.volume.spacing_mm
    noise = np.random.default_rng(1).normal(0, 40, scan.volume.hu.shape)
    noisy = np.clip(scan.volume.hu + noise, -1024, 3071).astype(np.int16)
    for hu, spacing, part in (
        (scan.volume.hu[::2], (2 * dz, dy, dx), found[::2]),
        (scan.volume.hu[:, ::2, ::2], (dz, 2 * dy, 2 * dx), found[:, ::2, ::2]),
        (noisy, (dz, dy, dx), found),
    ):
        again = segment_volume(Volume(np.ascontiguousarray(hu), spacing))
        assert min(dice(again == side, part == side) for side in (1, 2)) > 0.95
    turned = Volume(scan.volume.hu[::-1].copy(), (dz, dy, dx), direction=(1, 0, 0, 0, 1, 0, 0, 0, -1))
    assert np.array_equal(segment_volume(upright(turned)), found)


NO_LUNG = {"ID_0071", "ID_0073", "ID_0079", "ID_0086"}
ONE_LUNG = {"ID_0036", "ID_0033"}  # the other is consolidated, or full of fluid in a chest full of air under the skin
TOO_LITTLE = {"ID_0027"}  # the tip of one lung
CONSOLIDATED = "ID_0031", np.s_[325:380, 310:400]  # the left lower lobe; rows and columns


@pytest.mark.skipif(not DATA, reason="LUNGSYNTH_DATA is not set: no real slices")
def test_real_slices_with_and_without_lungs(tmp_path):
    """Of 31 slices the four of abdomen and pelvis show none, 24 of the 26 with lungs both, the others one."""
    root = unpacked("tcga_ct_slices", "tcga_ct_slices", tmp_path)
    reader = READERS.get("dicom")(READERS.settings("dicom")(path=root.name, images="slices"), root)
    sides = {}
    for ref in reader.list():
        volume = reader.read(ref).volume
        found = segment_slice(volume.hu[0], volume.spacing_mm[1], both=False)
        name = ref.source_files[0].name[:7]
        sides[name] = set(np.unique(found)) - {0}
        if name == CONSOLIDATED[0]:
            assert np.mean(found[CONSOLIDATED[1]] == 2) > 0.9
    assert len(sides) == 31
    assert {name for name in sides if not sides[name]} == NO_LUNG | TOO_LITTLE
    assert {name for name in sides if len(sides[name]) == 1} == ONE_LUNG
