"""Measures of a slice: planted faults are seen where they should be, and what cannot be measured counts nowhere."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from skimage.morphology import disk

from lungsynth.cohort.phantom.chest import make_patient
from lungsynth.ct.resample import resize
from lungsynth.score.anatomy import discs
from lungsynth.score.anatomy.chest import chest_of
from lungsynth.score.anatomy.measures import MEASURES, RIPPLE, measure
from lungsynth.score.anatomy.ranges import RANGES
from lungsynth.score.anatomy.ripple import ripple_db
from lungsynth.score.anatomy.sets import of_bank, of_shards
from lungsynth.score.anatomy.table import COLUMNS, LUNGS, MEAN_SHARE, Slices, measured, ripple_range, rows
from lungsynth.sets import bank, shard
from lungsynth.study.stages.cohort import Phantom

RNG = np.random.default_rng
FOV_MM = 320.0


@pytest.fixture(scope="module")
def scan():
    """A digital chest in pixels of 1.25 mm: six slices of its middle half, float32 [n, 256, 256]."""
    patient = make_patient(Phantom(size_px=256, slices=40, slice_mm=6.0), 2023, 1)
    return resize(patient.image[12:30:3], patient.spacing_mm[0], 1.25, 256)


@pytest.fixture(scope="module")
def chest(scan):
    """Its middle slice."""
    return scan[3]


def out_of_range(values: dict[str, float]) -> set[str]:
    """The measures of RANGES that lie elsewhere than in real CT."""
    return {one.measure for one in RANGES if not one.low <= values[one.measure] <= one.high}


def wave(shape: tuple[int, int], period: int, kind: str) -> np.ndarray:
    """A wave of 12 HU over the whole picture."""
    down, across = (np.cos(2 * np.pi * axis / period) for axis in np.mgrid[: shape[0], : shape[1]])
    return 12 * {"across": across, "down": down, "chequerboard": across * down}[kind]


def test_discs_are_those_of_a_footprint():
    mask = ndimage.gaussian_filter(RNG(0).normal(size=(70, 90)), 3) > 0
    for radius in (1, 4, 6):
        footprint = disk(radius)
        np.testing.assert_array_equal(discs.opened(mask, radius), ndimage.binary_opening(mask, footprint))
        np.testing.assert_array_equal(discs.closed(mask, radius), ndimage.binary_closing(mask, footprint))


def test_a_digital_chest_lies_where_real_ones_do(chest):
    values = measure(chest, 1.25)
    assert list(values) == list(MEASURES) and len(RANGES) == 28
    assert np.isfinite(list(values.values())).all()
    assert len(out_of_range(values)) <= 4


def test_the_sizes_are_those_of_a_drawn_chest():
    down, across = ((np.arange(256) - 127.5) * 1.25 for _ in range(2))
    down = down[:, None]
    image = np.where((across / 150) ** 2 + (down / 110) ** 2 <= 1, 50, -1000)
    for side in (-65, 65):
        image[((across - side) / 50) ** 2 + (down / 80) ** 2 <= 1] = -860
    for place in range(-40, 41, 20):
        image[(across + 65) ** 2 + (down - place) ** 2 <= 3**2] = 40
    values = measure(image.astype(np.int16), 1.25)
    assert values["body width"] == pytest.approx(300, abs=2.5) and values["body depth"] == pytest.approx(220, abs=2.5)
    assert values["lung width"] == pytest.approx(100, abs=2.5)
    inner_cm2 = 2 * np.pi * 4.5 * 7.5
    assert values["vessels 5-8 mm"] == pytest.approx(5 / inner_cm2 * 100, rel=0.05)
    assert values["lung HU 50 %"] == -860 and values["soft tissue peak"] == pytest.approx(50, abs=2)


def test_a_blur_is_seen_in_texture_noise_edge_and_small_vessels(chest):
    found = out_of_range(measure(ndimage.gaussian_filter(chest, 1.8 / 1.25), 1.25)) - out_of_range(measure(chest, 1.25))
    assert found >= {"texture slope", "noise length", "edge 10 to 90 %", "vessels 1-2 mm", "vessel length"}


def test_a_shift_of_30_hu_is_seen_in_the_peaks_of_fat_and_soft_tissue(chest):
    before, after = measure(chest, 1.25), measure(chest + 30, 1.25)
    assert {"fat peak", "soft tissue peak"} <= out_of_range(after) - out_of_range(before)
    assert after["lung HU mean"] - before["lung HU mean"] == pytest.approx(30, abs=3)


def test_half_the_noise_is_half_the_noise(chest):
    smooth = ndimage.median_filter(chest, 5)
    before, after = measure(chest, 1.25), measure((chest + smooth) / 2, 1.25)
    assert after["noise sd"] < 0.65 * before["noise sd"] and after["parenchyma sd"] < 0.75 * before["parenchyma sd"]
    assert after["body width"] == before["body width"]


def test_lungs_without_vessels_are_seen(chest):
    lungs = chest_of(chest, 1.25).lungs
    values = measure(np.where(lungs & (chest > -700), -860, chest), 1.25)
    vessels = {one.measure for one in RANGES if one.group == "vessels"}
    assert out_of_range(values) >= vessels | {"lung HU sd", "lung HU 95 %"}


@pytest.mark.parametrize("kind", ["across", "down", "chequerboard"])
@pytest.mark.parametrize("mm_per_px", [1.25, 2.0])
def test_a_ripple_of_two_to_eight_pixels_stands_above_every_slice_without_one(scan, kind, mm_per_px):
    slices = resize(scan, 1.25, mm_per_px, round(FOV_MM / mm_per_px))
    without = [ripple_db(one) for one in slices]
    for period in (2, 3, 5, 8):
        planted = [ripple_db(one + wave(one.shape, period, kind)) for one in slices]
        assert min(planted) > max(without), period
    assert max(without) < 15


@pytest.mark.parametrize("mm_per_px", [1.25, 2.0, 2.8])
def test_pixels_of_any_size_show_the_same_chest(chest, mm_per_px):
    image = resize(chest, 1.25, mm_per_px, int(FOV_MM / mm_per_px))
    fine, coarse = measure(chest, 1.25), measure(image.astype(np.int16), mm_per_px)
    assert np.isfinite(list(coarse.values())).all()
    for name in ("body width", "lung width", "fat share"):
        assert coarse[name] == pytest.approx(fine[name], rel=0.1)
    for name in ("fat peak", "soft tissue peak"):
        assert coarse[name] == pytest.approx(fine[name], abs=4)


@pytest.mark.parametrize("size_px", [64, 160])
@pytest.mark.parametrize("hu", [-1000, 0, 40, 3000])
def test_an_even_image_has_no_measure_but_perhaps_a_ripple_of_nothing(size_px, hu):
    values = measure(np.full((size_px, size_px), hu, np.int16), 2.0)
    ripple = values.pop(RIPPLE)
    assert np.isnan(list(values.values())).all() and (np.isnan(ripple) or ripple < 1)


def test_a_body_without_lungs_has_a_ripple_alone():
    rows, columns = np.ogrid[:160, :160]
    body = np.where((rows - 80) ** 2 + (columns - 80) ** 2 < 60**2, 40, -1000) + RNG(0).normal(0, 10, (160, 160))
    values = measure(body.astype(np.int16), 2.0)
    assert {name for name, value in values.items() if np.isfinite(value)} == {RIPPLE}


def test_a_small_image_is_measured_as_far_as_it_goes(chest):
    values = measure(resize(chest, 1.25, 5.0, 64), 5.0)
    assert np.isfinite(values["body width"]) and np.isnan(values["noise sd"])


def set_of(shares: list[float], patients: np.ndarray | None = None, n: int = 40) -> Slices:
    """Slices of which a share lies in the range, the same for every measure; the ripple counts up to n."""
    inside = np.arange(n)[:, None] < np.resize(shares, len(RANGES)) * n
    middle, outside = np.array([((one.low + one.high) / 2, one.high + 1) for one in RANGES]).T
    values = pd.DataFrame(np.where(inside, middle, outside), columns=[one.measure for one in RANGES])
    return Slices(values.assign(ripple=np.arange(1.0, n + 1)), patients)


def test_the_table_counts_what_is_in_range_and_the_mean_is_over_measures():
    table = rows({"normals_test": set_of([0.5, 1.0]), "normals_generated": set_of([0.25])}, RNG(0), draws=50)
    assert list(table.columns) == COLUMNS and len(table) == 2 * (2 + 28 + 1)
    real, made = (one.set_index("measure") for _, one in table.groupby("set", sort=False))
    assert real.loc["body width", "share"] == 0.5 and real.loc["body depth", "share"] == 1
    assert real.loc[MEAN_SHARE, "share"] == pytest.approx(0.75) and made.loc[MEAN_SHARE, "share"] == 0.25
    assert real.loc[RIPPLE, "high"] == pytest.approx(np.quantile(np.arange(1, 41), 0.95))
    assert real.loc[RIPPLE, "share"] == 38 / 40
    between = table[table["share"].between(0.01, 0.99)]
    assert ((between["share_low"] < between["share"]) & (between["share"] < between["share_high"])).all()


def test_what_a_slice_cannot_answer_counts_nowhere():
    one = set_of([1.0])
    one.values.loc[:9, one.values.columns != RIPPLE] = np.nan
    one.values["noise sd"] = np.nan
    table = rows({"normals_test": one}, RNG(0), draws=50).set_index("measure")
    assert (table.loc["body width", "n"], table.loc["body width", "share"]) == (30, 1)
    assert (table.loc[LUNGS, "n"], table.loc[LUNGS, "share"]) == (40, 0.75)
    assert table.loc["noise sd", "n"] == 0 and np.isnan(table.loc["noise sd", ["share", "share_low", "median"]]).all()
    assert table.loc[MEAN_SHARE, "share"] == 1


def test_intervals_are_over_patients_and_one_patient_has_none():
    """Slices of a patient are alike: ten of four say less than forty of forty."""
    four, forty, one = (np.repeat([f"p{k}" for k in range(n)], 40 // n) for n in (4, 40, 1))
    sets = {"normals_test": set_of([0.5], four), "b": set_of([0.5], forty), "c": set_of([0.5], one)}
    table = rows(sets, RNG(0), draws=200)
    width = (table["share_high"] - table["share_low"])[table["measure"] == MEAN_SHARE].tolist()
    assert width[0] > 1.5 * width[1] and np.isnan(width[2])


def test_a_set_without_an_image_has_rows_without_a_share():
    sets = {"normals_test": set_of([0.5]), "released": measured([], 2.0)}
    table = rows(sets, RNG(0), draws=50).query("set == 'released'")
    assert len(table) == 31 and (table["n"] == 0).all() and table["share"].isna().all()


def test_the_bound_of_the_ripple_is_that_of_all_real_test_slices_together():
    first, second = set_of([1.0], n=10), set_of([1.0], n=30)
    both = np.concatenate([np.arange(1, 11), np.arange(1, 31)])
    found = ripple_range({"normals_test": first, "lesions_test": second, "normals_generated": set_of([1.0], n=90)})
    assert found.high == pytest.approx(np.quantile(both, 0.95))


def test_at_most_so_many_slices_of_a_set_are_measured_and_shards_give_pairs(tmp_path, scan):
    images = np.stack([*scan, *scan]).astype(np.int16)
    table = pd.DataFrame({"id": range(12), "patient": [f"p{k % 3}" for k in range(12)], "source": "scan"})
    bank.write(tmp_path / "a.npz", bank.ImageSet(images, np.zeros(images.shape, np.uint8), 1.25, table))
    found = of_bank(tmp_path / "a.npz", 4, RNG(1))
    assert len(found.values) == 4 and len(found.patients) == 4
    paths = [tmp_path / "0.npy", tmp_path / "1.npy"]
    for path, part in zip(paths, np.split(images, 2), strict=True):
        shard.save(path, part)
    pairs = [of_shards(paths, 1.25, 3, RNG(1)).values for _ in range(2)]
    pd.testing.assert_frame_equal(*pairs)
    kept = of_shards(paths, 1.25, 3, RNG(1), [np.array([2]), np.array([], int)]).values
    assert len(kept) == 1 and kept["body width"][0] == measure(images[2], 1.25)["body width"]
