"""Detectors beside each other: equal budgets, unequal needs, measures with paired differences, the paper's row."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from detection_cases import ANNOTATIONS, EXCLUDED, MARKS, SCANS

from lungsynth.compare import detectors, table
from lungsynth.ct.volume import Volume
from lungsynth.report.detectors import page
from lungsynth.segment.scoring import detection, systems
from lungsynth.segment.scoring.answers import judged_places, on_test, operating_point, pooled, whole
from lungsynth.segment.scoring.detection_table import Draws
from lungsynth.segment.scoring.threshold import OperatingPoint
from lungsynth.sets.scans import Prepared
from lungsynth.study import comparison
from lungsynth.study.errors import DataError, StudyError
from lungsynth.workflow.files import DETECTOR_TABLES, Files
from lungsynth.workflow.networks import count
from lungsynth.workflow.settings import check_compared, load

CONFIG = yaml.safe_load((Path(__file__).resolve().parents[2] / "config.yaml").read_text(encoding="utf-8"))
SIX = [f"s{n}" for n in range(6)]


def study(segment=None, **changes):
    config = copy.deepcopy(CONFIG)
    config["compare"]["detectors"] |= changes
    config["segment"]["windows"] |= segment or {}
    return load(config)


def draws(scans, count=200, seed=0):
    return Draws(detection.draw_weights(scans, count, np.random.default_rng(seed)))


def test_every_run_has_the_same_budget_and_network_and_starts_from_nothing():
    made = study(seeds=2, patches=3200)
    runs = comparison.detectors(made)
    assert len(runs) == 5 * 2 == len({run.name for run in runs})
    spent = {(run.training.steps * run.training.batch, run.init_from, run.compared) for run in runs}
    assert spent == {(3200, None, True)}
    assert all(run.settings["network"] == made.segment.network.model_dump(mode="json") for run in runs)
    assert set(comparison.runs_of(made)) >= {run.name for run in runs}
    assert runs[0].name == "segment/nodules/cnn_vgg.compared-2023"


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"kinds": ["unett"]}, r"compare\.detectors\.kinds: no detector 'unett'.*unet"),
        ({"kinds": ["unet", "unet"]}, r"unet stands in kinds twice"),
        ({"patches": 20}, r"patches: 20 is less than 32, a batch of 16 a checkpoint"),
        ({"checkpoints": 1}, r"compare\.detectors\.checkpoints"),
        ({"settings": {"unet": {"zz": 3}}}, r"compare\.detectors\.settings\.unet\.zz: unknown key"),
        ({"settings": {"vgg": {}}}, r"vgg is not compared"),
        ({"folds": ["a", "b", "a"]}, r"a stands in folds twice"),
    ],
)
def test_bad_settings_are_one_line(changes, words):
    with pytest.raises(StudyError, match=words):
        study(**changes)


@pytest.mark.parametrize(
    "segment, words",
    [
        ({"cubes": {"planes": 5}}, r"the kind faster_rcnn: cubes of 7 planes 2\.5 mm apart and 20 px"),
        ({"context_px": 40}, r"the kind faster_rcnn: window_px 48 is larger than segment\.windows\.context_px 40"),
    ],
)
def test_kinds_that_need_more_than_the_contexts_hold_are_refused_when_the_target_is_asked_for(segment, words, capsys):
    made = study(segment)
    with pytest.raises(StudyError, match=rf"^compare\.detectors: {words}"):
        check_compared(made, "detectors")
    with pytest.raises(SystemExit):
        Files(made, {}).comparison("detectors")(None)
    assert len(capsys.readouterr().err.splitlines()) == 1
    check_compared(study(segment, kinds=["unet", "dense_unet"]), "detectors")


def test_a_trained_segmenter_of_the_chain_needs_contexts_too():
    config = copy.deepcopy(CONFIG)
    config["segment"] |= {"init_from": None, "dense_unet": {"window_px": 96}}
    config["segment"]["training"]["steps"] = 100
    with pytest.raises(StudyError, match=r"segment\.dense_unet: window_px 96 is larger than .*context_px 64"):
        load(config)


def test_what_a_detector_learns_from_is_its_own_second_file():
    made = study(seeds=1)
    files = Files(made, {}, comparison.runs_of(made))

    class Wildcards:
        target, run, checkpoint = "nodules", "unet.compared-2023", "1"

    first, second = files.contexts(Wildcards)
    assert first == "results/demo/segment/windows.npz"
    assert second == "results/demo/segment/nodules/unet.compared-2023/hard_windows.npz"
    Wildcards.checkpoint = "0"
    assert files.contexts(Wildcards) == [first]
    assert len(files.comparison("detectors")(None)) == len(DETECTOR_TABLES)
    assert files.compared_detectors(".json")[-1] == "results/demo/compare/detectors/baseline.json"


def test_measures_are_those_of_the_fixture():
    """FACTS 3.2: sensitivity .75, 2.75 candidates a scan, 5 false positives, CPM .607142857."""
    answers = systems.Answers(MARKS, 0.0, None, None)
    found = systems.measures(answers, ANNOTATIONS, SCANS, draws(SCANS), EXCLUDED)
    assert found["sensitivity"].value == 0.75
    assert found["candidates_per_scan"].value == 2.75
    assert found["false_positives_per_scan"].value == 5 / 4
    assert found["cpm"].value == pytest.approx(0.607142857)
    assert "dice" not in found and "accuracy" not in found
    shown = systems.measures(systems.Answers(MARKS, 0.8, None, None), ANNOTATIONS, SCANS, draws(SCANS), EXCLUDED)
    assert shown["candidates_per_scan"].value == (MARKS["probability"] >= 0.8).sum() / 4
    assert shown["cpm"].value == found["cpm"].value


def test_intervals_are_those_of_the_table_of_one_system():
    drawn = draws(SCANS)
    matched = detection.match(MARKS, ANNOTATIONS, SCANS, EXCLUDED)
    found, nodules, _ = detection.counts_at(matched, 0.6)
    measured = systems.measures(systems.Answers(MARKS, 0.6, None, None), ANNOTATIONS, SCANS, drawn, EXCLUDED)
    value, low, high = detection.ratio_interval(found, nodules, drawn.weights)
    assert (measured["sensitivity"].value, *measured["sensitivity"].interval(0.95)) == (value, low, high)
    boot = detection.bootstrap(detection.Curve(matched), drawn.weights)
    assert measured["cpm"].interval(0.95) == (boot.cpm_low, boot.cpm_high)


def truth():
    return pd.DataFrame([(s, 0.0, 0.0, 0.0, 8.0) for s in SIX], columns=["scan", "x_mm", "y_mm", "z_mm", "diameter_mm"])


def finds(which):
    rows = [(s, 0.0 if s in which else 50.0, 0.0, 0.0, 0.9) for s in SIX]
    return systems.Answers(pd.DataFrame(rows, columns=["scan", "x_mm", "y_mm", "z_mm", "probability"]), 0.5, None, None)


def test_one_is_ahead_where_the_paired_difference_has_no_zero_in_it():
    drawn = draws(SIX)
    one, same, none = (systems.measures(finds(w), truth(), SIX, drawn) for w in (SIX[:5], SIX[1:], SIX[:1]))
    apart = systems.differences({"good": one, "alike": same, "poor": none}, 0.95).set_index(
        ["measure", "first", "second"]
    )
    row = apart.loc[("sensitivity", "good", "poor")]
    assert row["difference"] == pytest.approx(4 / 6) and row["low"] > 0 and row["ahead"] == "good"
    fewer = apart.loc[("false_positives_per_scan", "good", "poor")]
    assert fewer["high"] < 0 and fewer["ahead"] == ""  # a system that shows nothing has none either
    assert apart.loc[("sensitivity", "good", "alike"), "ahead"] == ""
    assert len(apart) == 4 * 3
    twice = systems.differences({"a": one, "b": one}, 0.95)
    assert (twice[["difference", "low", "high"]] == 0).all(axis=None) and (twice["ahead"] == "").all()


def test_a_kind_is_the_mean_of_its_runs_draw_by_draw():
    drawn = draws(SIX)
    runs = [systems.measures(finds(w), truth(), SIX, drawn) for w in (SIX, SIX[:3])]
    mean = systems.mean_of(runs)
    assert mean["sensitivity"].value == 0.75
    np.testing.assert_allclose(mean["cpm"].samples, (runs[0]["cpm"].samples + runs[1]["cpm"].samples) / 2)


def test_nodules_of_one_patient_tell_no_systems_apart():
    drawn = draws(["p"] * 6)
    one, none = (systems.measures(finds(w), truth(), SIX, drawn) for w in (SIX, []))
    apart = systems.differences({"a": one, "b": none}, 0.95)
    assert apart.loc[apart["measure"] == "sensitivity", "low"].isna().all() and (apart["ahead"] == "").all()


def scan_with_two() -> Prepared:
    volume = Volume(np.full((4, 12, 12), -800, np.int16), (2.0, 1.0, 1.0))
    nodules = np.zeros(volume.hu.shape, np.uint8)
    nodules[1:3, 2:6, 2:6], nodules[2, 8:10, 8:10] = 1, 2
    return Prepared("s0", "p0", "test", "volume", volume, np.ones_like(nodules), nodules)


def marks_of_two():
    rows = [("s0", 1, 3.5, 3.5, 3.0, 5.0, "solid", 1), ("s0", 2, 8.5, 8.5, 4.0, 3.0, "ground_glass", 2)]
    more = ("s0", 3, 0.0, 0.0, 0.0, 9.0, "solid", 0)  # without a mask
    columns = ["scan", "mark", "x_mm", "y_mm", "z_mm", "diameter_mm", "texture", "label"]
    return pd.DataFrame([*rows, more], columns=columns)


def test_overlaps_are_dice_and_iou_of_the_nodules_with_a_mask():
    scan, marks = scan_with_two(), marks_of_two()
    found = np.zeros(scan.nodules.shape, np.int32)
    found[1:3, 2:6, 3:7] = 1
    rows = systems.overlaps(marks, scan.nodules, found).set_index("mark")
    nodule = scan.nodules == 1
    assert rows.loc[1, "iou"] == pytest.approx((nodule & (found > 0)).sum() / (nodule | (found > 0)).sum())
    assert rows.loc[1, "dice"] == pytest.approx(0.75)
    assert rows.loc[2, ["dice", "iou"]].tolist() == [0, 0] and len(rows) == 2
    groups = pd.DataFrame(systems.by_group([rows.reset_index()], ["s0"], draws(["s0"]))).set_index("group")
    assert groups.loc["solid", "dice"] == pytest.approx(0.75) and groups.loc["ground_glass", "dice"] == 0
    assert groups.loc["below 6 mm", "nodules"] == 2 and "10 mm and more" not in groups.index


def test_the_point_comes_from_tune_and_outlines_from_what_is_shown():
    scan, marks = scan_with_two(), marks_of_two()
    labels = scan.nodules.astype(np.int32)

    def find(one, level):
        table = marks[:2].assign(probability=[0.9, level])[["scan", "label", "x_mm", "y_mm", "z_mm", "probability"]]
        return table, labels

    point = operating_point(find, [scan], marks, 3, (0.2, 0.4))
    assert (point.nodules, point.scans) == (3, 1) and point.threshold in (0.2, 0.4)
    shown = OperatingPoint(0.2, 0.5, 0, 0, 0, 0)
    candidates, nodules = on_test(find, [scan], shown, marks)
    assert len(candidates) == 2 and nodules["dice"].tolist() == [1, 0]
    with pytest.raises(DataError, match="no nodule in the 1 tune scans"):
        operating_point(find, [scan], marks[:0], 3, (0.2,))


def test_a_role_without_whole_scans_is_one_line():
    with pytest.raises(DataError, match="no tune patient has a whole scan"):
        list(whole([], "tune"))


def test_a_place_is_judged_by_the_map_or_by_the_best_candidate_near_it():
    places = pd.DataFrame(
        [("s0", 0.0, 0, 0, 8, True), ("s0", 40, 0, 0, 8, False), ("s1", 0, 0, 0, 8, True)],
        columns=["scan", "x_mm", "y_mm", "z_mm", "diameter_mm", "nodule"],
        index=[4, 7, 9],
    )
    found = pd.DataFrame(
        [("s0", 3.9, 0, 0, 0.7), ("s0", 0, 1, 0, 0.6), ("s0", 44.1, 0, 0, 0.9)],
        columns=["scan", "x_mm", "y_mm", "z_mm", "probability"],
    )
    assert judged_places(places, found, lambda name: None)["probability"].tolist() == [0.7, 0, 0]
    volume = Volume(np.zeros((5, 60, 60), np.uint8), (1.0, 1.0, 1.0))
    volume.hu[2, 2, 2] = 255
    judged = judged_places(places, found, lambda name: volume if name == "s1" else None)
    assert judged["probability"].tolist() == [0.7, 0, 1]
    wrong = systems.Answers(found, 0.5, None, judged)
    assert systems.measures(wrong, truth()[:1], ["s0", "s1"], draws(["s0", "s1"]))["accuracy"].value == 1


def tables():
    drawn = draws(SIX)
    facts = [
        {"kind": kind, "run": f"{kind}-{n}", "patches": 64, "steps": 4, "parameters": 9, "note": "", "point": POINT}
        for kind, n in (("unet", 0), ("unet", 1), ("dense_unet", 0), ("faster_rcnn", 0), ("baseline", 0))
    ]
    which = [SIX, SIX[:4], SIX[:5], SIX[:3], SIX[:1]]
    made = {one["run"]: systems.measures(finds(w), truth(), SIX, drawn) for one, w in zip(facts, which, strict=True)}
    means = {
        kind: systems.mean_of([made[one["run"]] for one in facts if one["kind"] == kind])
        for kind in dict.fromkeys(one["kind"] for one in facts)
    }
    runs = detectors.of_runs(facts, made, 0.95)
    return facts, runs, detectors.of_kinds(runs, means, list(systems.MEASURES), 0.95), means


POINT = {"threshold": 0.3, "probability": 0.5}


def test_a_row_a_kind_has_mean_bounds_and_spread_and_the_baseline_is_the_lowest():
    _, runs, kinds, _ = tables()
    assert kinds["kind"].tolist() == ["unet", "dense_unet", "faster_rcnn", "baseline"] and len(runs) == 5
    row = kinds.set_index("kind").loc["unet"]
    assert row["sensitivity"] == pytest.approx(5 / 6) and row["runs"] == 2
    assert row["sensitivity_sd"] == pytest.approx(np.std([1, 4 / 6], ddof=1))
    assert row["sensitivity_low"] <= row["sensitivity"] <= row["sensitivity_high"]
    assert np.isnan(row["dice"])


def test_the_papers_cells_stand_beside_ours_and_blank_ones_stay_blank():
    _, _, kinds, _ = tables()
    claims = table.claims("detectors", kinds.assign(accuracy=0.9))
    told = {metric: set(rows["kind"]) for metric, rows in claims.groupby("metric")}
    assert told == {
        "sensitivity": {"faster_rcnn", "unet", "dense_unet"},
        "candidates_per_scan": {"faster_rcnn", "unet", "dense_unet"},
        "accuracy": {"unet", "dense_unet"},
    }
    best = claims.set_index(["metric", "kind"])
    assert best.loc[("sensitivity", "dense_unet"), ["reported", "place_reported"]].tolist() == [0.943, 1]
    assert best.loc[("candidates_per_scan", "unet"), "place_reported"] == 1


def test_the_page_says_who_is_ahead_and_what_no_one_is():
    facts, _, kinds, means = tables()
    seconds = {one["run"]: 3.0 for one in facts}
    apart = systems.differences(means, 0.95)
    groups = pd.DataFrame(columns=["kind", "group", "nodules", "dice"])
    text = page(kinds, groups, apart, table.claims("detectors", kinds), facts, seconds, seconds, 6)
    assert "unet before baseline" in text and "6 test scans" in text
    assert "Chi 2023, Table I" in text and "http" not in text.replace("http-equiv", "")


def test_every_compared_kind_is_counted_with_its_preset():
    made = study(seeds=1, settings={"unet": {"architecture": {"preset": "ronneberger"}}})
    counted = count(comparison.detectors(made), made.banks, made.image, made.features, {}).set_index("kind")
    assert set(counted.index) == set(made.compare.detectors.kinds)
    assert counted.loc["unet", ["preset", "trainable"]].tolist() == ["ronneberger", 31_107_329]
    assert counted.loc["faster_rcnn", "network"].tolist() == ["proposer", "cubes"]


def test_folds_are_pooled_each_at_its_own_operating_point():
    """Scans s0 to s2 are tested in one fold, s3 to s5 in another, whose network is twice as sure."""
    nodules = pd.DataFrame({"scan": SIX, "mark": 1, "x_mm": 0.0, "y_mm": 0.0, "z_mm": 0.0, "diameter_mm": 6.0})
    sure = [0.9, 0.5, 0.2]
    first, second = (
        pd.DataFrame({"scan": scans, "x_mm": 0.0, "y_mm": 0.0, "z_mm": 0.0, "probability": values})
        for scans, values in ((SIX[:3], sure), (SIX[3:], [value / 2 for value in sure]))
    )
    parts = [systems.Answers(first, 0.4, None, None), systems.Answers(second, 0.2, None, None)]
    both = pooled(parts, [SIX[:3], SIX[3:]])
    found = systems.measures(both, nodules, SIX, draws(SIX))
    assert found["sensitivity"].value == found["candidates_per_scan"].value == 4 / 6
    one = systems.measures(pooled(parts[:1], [SIX[:3]]), nodules, SIX[:3], draws(SIX[:3]))
    assert one["sensitivity"].value == 2 / 3
    # Each fold lists the scans of the others, to learn from: their marks are not counted twice.
    tested = [pd.DataFrame({"scan": some}) for some in (SIX[:3], SIX[3:])]
    assert sorted(systems.marks_of([nodules, nodules], tested)["scan"]) == SIX
    with pytest.raises(DataError, match=r"folds: the scan s2 is tested in more than one"):
        pooled(parts, [SIX[:3], SIX[2:]])


def test_what_is_known_of_folds_is_what_they_share():
    one = {"kind": "unet", "run": "unet-1", "patches": 10, "steps": 5, "parameters": 7, "note": "", "point": {}}
    point = {"threshold": 0.5, "probability": 0.3}
    told = detectors.pooled_facts([one | {"point": point}, one | {"point": point, "note": "spoilt"}], ["a", "b"])
    assert told["note"] == "b: spoilt" and np.isnan(told["point"]["probability"])
    assert detectors.pooled_facts([one | {"point": point}], ["a"])["point"] == point
    with pytest.raises(DataError, match=r"unet-1 has steps 6 in b and 5 in a"):
        detectors.pooled_facts([one, one | {"steps": 6}], ["a", "b"])


def test_folds_that_were_not_compared_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    made = study(folds=["demo", "other"])
    files = Files(made, {}, comparison.runs_of(made))
    with pytest.raises(SystemExit):
        files.of_folds("results/demo/cohort/cohort.csv")(None)
    assert "run compare_detectors of the study other first" in capsys.readouterr().err
    (tmp_path / "results/other/cohort").mkdir(parents=True)
    (tmp_path / "results/other/cohort/cohort.csv").touch()
    assert files.of_folds("results/demo/cohort/cohort.csv")(None) == [
        "results/demo/cohort/cohort.csv",
        "results/other/cohort/cohort.csv",
    ]
    with pytest.raises(SystemExit):
        Files(study(), {}).of_folds("results/demo/x")(None)
    assert "compare.detectors.folds: is empty" in capsys.readouterr().err
