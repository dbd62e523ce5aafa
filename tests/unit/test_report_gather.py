"""From a study's files to the report's parts: counts that add up, verdicts that follow the interval."""

import numpy as np
import pandas as pd
import pytest

from lungsynth.report import cards, compare, dag, gather, pictures
from lungsynth.report.data import ReportData
from lungsynth.report.page import page
from lungsynth.sets import bank, shard
from lungsynth.sets.tables import write_csv, write_json
from tests.unit.report_data import anatomy, nodules, slices


@pytest.mark.parametrize(
    ("value", "low", "high", "at_least", "verdict"),
    [
        (0.9, 0.86, 0.95, True, "good"),
        (0.9, 0.80, 0.95, True, "open"),
        (0.8, 0.70, 0.90, True, "bad"),
        (0.8, 0.70, 0.84, False, "good"),
        (0.8, 0.70, 0.90, False, "open"),
        (0.9, 0.80, 0.95, False, "bad"),
        (0.9, None, None, True, "good"),
        (np.nan, None, None, True, "none"),
    ],
)
def test_a_verdict_is_good_only_where_the_whole_interval_is(value, low, high, at_least, verdict):
    assert cards.verdict_of(value, low, high, 0.85, at_least) == verdict


def test_places_are_even_and_never_chosen_by_looks():
    assert gather.evenly(100, 5).tolist() == [0, 24, 49, 74, 99]
    assert gather.evenly(3, 5).tolist() == [0, 1, 2] and gather.evenly(0, 5).tolist() == []


def gate_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    images = pd.DataFrame(
        {
            "erased": [0, 1, 0, 0],
            "lost": [0, 1, 1, 0],
            "moved": [0, 0, 1, 0],
            "invented": [0, 0, 0, 2],
            "lung_hu_before": -850.0,
            "lung_hu_after": [-846.0, -845.0, -844.0, -845.0],
            "keep": [True, False, False, False],
        }
    )
    lesions = pd.DataFrame(
        {
            "erased": [True, False, False, False],
            "lost": [True, True, False, False],
            "moved": [False, False, False, False],
            "found_before": [True, True, False, True],
        }
    )
    return images, lesions


def test_every_composite_and_lesion_is_counted_once():
    composites, placed = gather.gate_counts(*gate_tables())
    assert composites.total == 4 and placed.total == 4
    assert {words: count for words, count, _ in composites.parts} == {
        "released": 1,
        "a lesion erased": 1,
        "a lesion lost": 1,
        "a lesion moved": 0,
        "a lesion invented": 1,
    }
    assert [count for _, count, _ in placed.parts] == [1, 1, 1, 0, 1]


def test_the_shift_of_lung_density_is_judged_by_its_size():
    (card,) = cards.density_card({"n": 9, "mean": -5.0, "low": -8.0, "high": -2.0})
    assert (card.value, card.verdict, card.low, card.high) == (-5, "good", -8, -2)
    (card,) = cards.density_card({"n": 9, "mean": -9.0, "low": -13.0, "high": -5.0})
    assert card.verdict == "open"
    assert list(cards.density_card({"n": 1, "mean": 3.0, "low": None, "high": None})) == []


def test_anatomy_is_held_against_the_real_slices_and_selection_against_what_it_chose_from():
    found = {card.label: card for card in cards.anatomy_cards(anatomy())}
    assert list(found) == [f"Anatomy of {what}" for what in ("generated lungs", "selected lungs", "refined slices")]
    aims = {label: float(card.aim.split()[1].rstrip(",")) for label, card in found.items()}
    assert list(aims.values()) == pytest.approx([0.72, 0.58, 0.75])
    assert [card.verdict for card in found.values()] == ["bad", "open", "open"]
    assert list(cards.anatomy_cards(None)) == []


def test_sensitivity_at_too_many_false_positives_is_missed():
    row = {"sensitivity": 0.95, "sensitivity_low": 0.9, "sensitivity_high": 1.0, "candidates_per_scan": 9.0}
    row |= {"nodules": 46, "scans": 5, "false_positives_per_scan": 4.5}
    (card,) = cards.detection_card(pd.DataFrame([row]))
    assert card.verdict == "bad"
    (card,) = cards.detection_card(pd.DataFrame([row | {"false_positives_per_scan": 3.0}]))
    assert card.verdict == "good"


def test_a_copy_is_the_nearest_and_the_first_of_the_pairs():
    fit, test = nodules(20, 1), nodules(20, 2)
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 40, fit.images.shape)
    train = one_set(np.clip(fit.images + grain, -1000, 400), fit.masks)
    made = np.clip(test.images + rng.normal(0, 40, test.images.shape), -1000, 400)
    made[7] = train.images[3]
    found = compare.copies("nodules", {"fit": train, "selected": one_set(made, test.masks)}, (-1000, 400))
    assert found.to_train.argmin() == 7 and found.to_train[7] == 0 and found.to_train[7] < found.bound
    np.testing.assert_array_equal(found.closest[0].images[0], found.closest[1].images[0])


def one_set(images: np.ndarray, masks: np.ndarray, mm_per_px: float = 1.25, **columns) -> bank.ImageSet:
    table = pd.DataFrame({"id": [f"i{k}" for k in range(len(images))], "patient": "p", "slice": 4, "source": "scan"})
    return bank.ImageSet(images.astype(np.int16), masks, mm_per_px, table.assign(**columns))


@pytest.fixture
def files(tmp_path) -> dict:
    """A study's folder in miniature, as the rules write it."""
    made = {}
    for k, word in enumerate(("fit", "test", "generated", "selected")):
        small, large = nodules(12, k), slices(6, True, k)
        lungs = np.where(large.images < -700, 1, 0).astype(np.uint8)
        for layer, one in (
            ("nodules", one_set(small.images, small.masks, u=0.5, v=0.25)),
            ("normals", one_set(large.images, lungs, 3.3)),
        ):
            made[f"{layer}_{word}"] = tmp_path / f"{layer}_{word}.npz"
            bank.write(made[f"{layer}_{word}"], one)
    lesions = slices(6, True, 9)
    made["lesions_test"], made["pool_normals"] = tmp_path / "lesions.npz", tmp_path / "pool.npz"
    bank.write(made["lesions_test"], one_set(lesions.images, lesions.masks, 3.3))
    bank.write(made["pool_normals"], one_set(lesions.images, lesions.masks, 3.3, source=["scan", *["dcgan:1:2"] * 5]))
    rows = pd.DataFrame({"image": range(6), "composite": range(6), "normal": range(6), "group": [0, 1] * 3})
    shard.write(tmp_path / "0", lesions.images, lesions.masks, rows)
    shard.save(tmp_path / "refined.npy", lesions.images + np.int16(3))
    made |= {"composites": [tmp_path / "0.npy"], "masks": [tmp_path / "0_masks.npy"], "rows": [tmp_path / "0.parquet"]}
    made |= {"refined": [tmp_path / "refined.npy"]}
    images, placed = gate_tables()
    images = pd.concat([images, images[:2]], ignore_index=True).assign(image=range(6))
    for name, table in (("gate_images", images), ("gate_lesions", placed)):
        made[name] = [tmp_path / f"{name}.csv"]
        write_csv(made[name][0], table)
    made["selection_nodules"], made["plan_summary"] = tmp_path / "selection.json", tmp_path / "plan.json"
    write_json(made["selection_nodules"], {"refused": {"copy": 3, "less alike": 5}})
    write_json(made["plan_summary"], {"combinations": 1234})
    names = ("measures", "distributions")
    made |= {name: tmp_path / f"{name}.csv" for name in names}
    values = {name: [1.0, 2.0, 3.0] for name in ("diameter_mm", "mean_hu", "eccentricity", "u", "v", "lung_area_mm2")}
    write_csv(made["measures"], pd.DataFrame({"set": ["test", "selected", "placed"], **values}))
    apart = {"measure": ["u"], "reference": "nodules_test", "ks": 0.1, "wasserstein": 0.2}
    write_csv(made["distributions"], pd.DataFrame({"set": ["placed"], **apart}))
    return made


def test_a_studys_files_become_a_whole_page(files):
    data = ReportData("x", 1, **gather.gather(files, (-1000, 400)))
    assert set(data.sheet) == {"real", "normal", "composite", "refined"}
    assert len(data.distributions) == 3 and len(data.copies) == 2 and len(data.gates) == 3
    assert (1234, "combinations") in data.flow
    text = page(data)
    assert "left out by the gate" in text and "generated nodules" in text and "Position in the lung" in text


def test_the_columns_of_the_story_show_one_item_each(files):
    sheet = gather.gather(files, (-1000, 400))["sheet"]
    np.testing.assert_array_equal(sheet["refined"].images, sheet["composite"].images + 3)
    np.testing.assert_array_equal(sheet["normal"].images, sheet["composite"].images)  # here the composites are bare
    assert len(sheet["normal"].images) == 5  # the one on a real normal is passed over


def test_files_that_are_not_there_leave_their_part_out():
    data = ReportData("x", 1, **gather.gather({}, (-1000, 400)))
    assert data.sheet == {} and data.cards == [] and "No slices" in page(data)


def test_losses_and_verdict_become_points_of_the_curve(tmp_path):
    table = pd.DataFrame(
        {"point": range(120), "step": range(5, 605, 5), "loss_generator": 1.0, "loss_critic": 2.0, "gp": 0.1}
    )
    write_csv(tmp_path / "losses.csv", table)
    verdict = {"mode": "report", "verdict": "stable", "stop_step": 405, "diverged_step": None, "window_point": 20}
    write_json(tmp_path / "state.json", verdict)
    one = gather.training("g", "dcgan", tmp_path / "losses.csv", tmp_path / "state.json", 5)
    assert list(one.curves) == ["generator", "critic"] and (one.e0, one.stop, one.diverged) == (20, 80, None)


def test_the_rules_behind_a_file_come_from_the_records():
    folder = "results/x"
    records = [
        {"rule": "cut", "inputs": ["data/a"], "outputs": [f"{folder}/banks/a.npz", f"{folder}/banks/b.npz"]},
        {"rule": "scan", "inputs": [], "outputs": [f"{folder}/cohort/scans/0/s.nii.gz"]},
        {
            "rule": "draw",
            "inputs": [f"{folder}/banks/a.npz", f"{folder}/cohort/scans/0"],
            "outputs": [f"{folder}/compose/p"],
        },
        {"rule": "other", "inputs": [f"{folder}/banks/a.npz"], "outputs": [f"{folder}/score/z"]},
    ]
    edges, stages = dag.edges_from(records, [f"{folder}/compose/p"])
    assert edges == [("cut", "draw"), ("scan", "draw")]
    assert stages == {"cut": "banks", "scan": "cohort", "draw": "compose"}


def test_that_nothing_is_a_copy_says_nothing_where_nothing_is_like_a_real_picture():
    common = {"extractor": "pictures", "reference": "held_out", "low": 0.9, "high": 1.0, "n_set": 40, "n_reference": 60}
    rows = [
        {"set": "selected", "metric": "authenticity", "value": 1.0, "floor": 0.5},
        {"set": "held_out", "metric": "authenticity", "value": 0.5, "floor": 0.5},
    ]

    def authenticity(precision):
        told = [*rows, {"set": "selected", "metric": "precision", "value": precision, "floor": 0.9}]
        found = pictures.cards(pd.DataFrame(told).assign(**common))
        return next(card for card in found if card.label.startswith("Authenticity"))

    assert authenticity(0.6).verdict == "good"
    assert authenticity(0.1).verdict == "open" and "lies among real ones" in authenticity(0.1).note
