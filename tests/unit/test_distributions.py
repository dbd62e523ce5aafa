"""Distances between distributions of measures, and the share of plausible lungs."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungsynth.score import distributions
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.proportions import wilson

RNG = np.random.default_rng


def discs(radii: list[int], hu: list[int]) -> ImageSet:
    rows, columns = np.ogrid[:32, :32]
    masks = np.array([(rows - 16) ** 2 + (columns - 16) ** 2 <= r * r for r in radii]).astype(np.uint8)
    images = np.where(masks > 0, np.array(hu)[:, None, None], -1000).astype(np.int16)
    table = pd.DataFrame({"id": [str(k) for k in range(len(radii))], "patient": "", "u": 0.5})
    return ImageSet(images, masks, 1.25, table)


def test_measures_of_discs_are_known():
    table = distributions.measures_of(discs([4, 6], [-50, -600]))
    np.testing.assert_allclose(table["diameter_mm"], [10, 15], rtol=0.05)
    assert table["mean_hu"].tolist() == [-50, -600]
    assert table["eccentricity"].max() < 0.1
    assert table["u"].tolist() == [0.5, 0.5]


def test_a_shift_is_its_own_wasserstein_distance():
    x = RNG(0).normal(size=200)
    draws = [np.arange(200)] * 2
    result = distributions.compare(x, x + 3, draws, draws)
    assert result["wasserstein"] == pytest.approx(3)
    assert distributions.compare(x, x + 100, draws, draws)["ks"] == 1
    assert distributions.compare(x, x, draws, draws)["ks"] == 0


def test_rows_name_sets_and_only_measures_that_both_have():
    g = RNG(1)

    def table(n: int, mean: float, **more) -> pd.DataFrame:
        patients = [f"p{k % 6}" for k in range(n)]
        return pd.DataFrame({"patient": patients, "diameter_mm": g.normal(mean, 2, n), **more})

    rows = distributions.rows(
        {"generated": table(80, 9), "fit": table(90, 7, u=0.5)}, ("test", table(60, 7)), RNG(2), draws=50
    )
    assert list(rows.columns) == distributions.COLUMNS
    assert rows[["set", "measure"]].values.tolist() == [["generated", "diameter_mm"], ["fit", "diameter_mm"]]
    assert rows["wasserstein"][0] > rows["wasserstein_high"][1]
    assert (rows["ks_low"] <= rows["ks"]).all()
    assert (rows["ks"] <= rows["ks_high"]).all()


def test_wilson_interval_of_the_textbook():
    low, high = wilson(9, 10)
    assert (low, high) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert wilson(0, 0) == (0, 1)


@given(st.integers(0, 200), st.integers(1, 200))
def test_wilson_interval_holds_the_share_and_mirrors(successes, n):
    successes = min(successes, n)
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n + 1e-12
    assert successes / n - 1e-12 <= high <= 1
    assert wilson(n - successes, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_lungs_count_only_where_two_were_found_and_their_area_is_real():
    real = np.linspace(10_000, 30_000, 101)
    areas, two = [20_000, 20_000, 5_000, 29_900], [True, False, True, True]
    table = pd.DataFrame({"lung_area_mm2": areas, "two_lungs": two})
    row = distributions.lung_shape({"generated": table}, real).iloc[0]
    assert (row["n"], row["two_lungs"], row["plausible"]) == (4, 3, 1)
    assert row["low"] < row["share"] == 0.25 < row["high"]


def test_a_nodule_of_a_patch_has_no_place_to_compare():
    one = discs([4, 6], [-50, -600])
    placed = replace(one, table=one.table.assign(side=[0, 2], u=0.5, v=0.25))
    table = distributions.measures_of(placed)
    assert table["u"].isna().tolist() == [True, False] and table["v"].iloc[1] == 0.25


def test_lungs_are_measured_by_their_masks():
    masks = np.zeros((2, 8, 8), np.uint8)
    masks[:, :, :2], masks[0, :, 6:] = 1, 2
    table = distributions.lungs_of(
        ImageSet(np.zeros((2, 8, 8), np.int16), masks, 2.0, pd.DataFrame({"id": ["a", "b"]}))
    )
    assert table["lung_area_mm2"].tolist() == [128, 64] and table["two_lungs"].tolist() == [True, False]


def test_what_was_measured_is_one_row_a_nodule_or_slice_by_set():
    nodules = distributions.measures_of(discs([4, 6], [-50, -600]))
    lungs = pd.DataFrame({"patient": "", "lung_area_mm2": [9.0], "two_lungs": True})
    table = distributions.measured({"test": nodules, "placed": pd.DataFrame({"u": [0.1]})}, {"test": lungs})
    assert list(table.columns) == ["set", *distributions.MEASURES] and len(table) == 4
    assert table.loc[table["set"] == "test", "diameter_mm"].dropna().tolist() == nodules["diameter_mm"].tolist()
    assert table["lung_area_mm2"].dropna().tolist() == [9.0]
