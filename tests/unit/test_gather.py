"""From the files of a study to the page: everything arrives, the counts add up, and what is missing is left out."""

import json
import pickle
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from lungsynth.report import anatomy, charts, figures
from lungsynth.report.assemble import assemble
from lungsynth.report.cautions import cautions
from lungsynth.report.contact import story_sheet
from lungsynth.report.gather import story
from lungsynth.report.origin import flat, provenance, read_records, trainings
from lungsynth.report.page import page
from lungsynth.sets import bank
from lungsynth.sets.tables import read_csv, write_csv, write_json
from lungsynth.study import models
from tests.unit.study_files import IN_SHARD, SHARDS, VIEW, slices, write_study

ENVIRONMENT = {"tree": "abcdef0123456789", "lock": "9" * 64, "python": "3.11"}
PAGE = ("make_report", "results/tiny/report/report.html")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A finished study's files by name."""
    return write_study(tmp_path_factory.mktemp("study"))


def records(files):
    """What jobs would have left: a chain of three, and one job of a rule that is no part of the study any more."""
    manifest, scores = str(files["manifest"]), str(files["scores"])
    return [
        {"rule": "cut_banks", "inputs": [], "outputs": {"results/tiny/banks/a.npz": "1"}, "facts": {}},
        {"rule": "train", "inputs": ["results/tiny/banks/a.npz"], "outputs": {scores: "2"}, "facts": {"device": "cpu"}},
        {"rule": "write_release", "inputs": [scores], "outputs": {manifest: "3"}, "facts": {}},
        {"rule": "old", "inputs": [], "outputs": {"results/tiny/old/x.csv": "4"}, "facts": {"device": "cuda"}},
        {"rule": "make_report", "inputs": ["results/tiny/old/x.csv"], "outputs": {PAGE[1]: "5"}, "facts": {}},
    ]


def test_everything_on_the_page_is_filled(files):
    data = assemble(files, VIEW, records(files), ENVIRONMENT, PAGE)
    for field in fields(data):
        value = getattr(data, field.name)
        empty = value is None or (len(value) == 0 if hasattr(value, "__len__") else False)
        assert not empty or field.name == "subtitle", field.name
    assert (data.study, data.seed, data.title) == ("tiny", 7, "A tiny study")
    assert "A tiny study" in page(data)


def test_the_same_files_give_the_same_page(files):
    first, second = (page(assemble(files, VIEW, records(files), ENVIRONMENT, PAGE)) for _ in range(2))
    assert first == second


TOGETHER = [("pool_normals",), ("lesions_test",), ("rows",), ("refined",), ("gate_images", "gate_lesions")]
TABLES = [
    "cohort",
    "marks",
    "quarantine",
    "detection",
    "froc",
    "gate",
    "gate_facts",
    "gate_threshold",
    "judge",
    "scores",
    "score_facts",
]
TABLES += ["differences", "measures", "distributions", "lungs", "anatomy", "manifest", "plan_summary", "lesions_domain"]
LAYERS = [f"{layer}_{kind}" for layer in ("nodules", "normals") for kind in ("fit", "test", "generated", "selected")]
NETWORKS = ("segmenter", "nodules", "normals", "refiner")
REST = [f"{what}_{name}" for what in ("losses", "slopes", "verdict") for name in NETWORKS]
REST += ["selection_nodules", "selection_normals"]


@pytest.fixture(scope="module")
def remembered():
    """A memory for a function of plain values: equal arguments are answered once in this module."""
    known = {}

    def wrapped(function):
        def answer(*args, **more):
            key = pickle.dumps((function.__module__, function.__name__, args, more))
            if key not in known:
                known[key] = function(*args, **more)
            return known[key]

        return answer

    return wrapped


@pytest.fixture
def drawn_once(remembered, monkeypatch):
    """Charts and pictures that many pages share are drawn for the first of them."""
    for module in (anatomy, charts):
        for name, function in list(vars(module).items()):
            if hasattr(function, "__wrapped__"):
                monkeypatch.setattr(module, name, remembered(function))
    monkeypatch.setattr(figures, "encode", remembered(figures.encode))


@pytest.mark.usefixtures("drawn_once")
@pytest.mark.parametrize("missing", [*TOGETHER, *((name,) for name in [*TABLES, *LAYERS, *REST])])
def test_a_page_is_made_without_any_one_of_the_files(files, missing):
    left = {name: path for name, path in files.items() if name not in missing}
    assert len(left) == len(files) - len(missing)
    assert "</html>" in page(assemble(left, VIEW))


def test_a_page_is_made_of_nothing_but_settings():
    data = assemble({}, VIEW)
    assert not (data.cards or data.sheet or data.trainings or data.gates or data.edges)
    assert "</html>" in page(data)


def test_composite_and_refined_show_the_same_items(files):
    sheet = assemble(files, VIEW).sheet
    before, after = sheet["composite"], sheet["refined"]
    assert before.captions == after.captions
    np.testing.assert_array_equal(before.masks, after.masks)
    np.testing.assert_array_equal(before.images + 10, after.images)  # what the refiner of this study does
    np.testing.assert_array_equal(np.where(before.masks, 20, sheet["normal"].images), before.images)
    assert before.total == SHARDS * IN_SHARD


def test_the_story_is_a_picture_that_depends_on_its_files_alone(files):
    names = ("lesions_test", "pool_normals", "composites", "masks", "rows", "refined", "gate_images")
    first, second = (story_sheet(story(*(files[name] for name in names))) for _ in range(2))
    assert first == second and first.startswith(b"\x89PNG")


def test_every_composite_lesion_and_generated_image_is_counted_once(files):
    gates = {counted.what: counted for counted in assemble(files, VIEW).gates}
    assert gates["composites"].total == gates["placed lesions"].total == SHARDS * IN_SHARD
    assert gates["generated nodules"].total == len(bank.read(files["nodules_generated"]))
    assert gates["generated normals"].total == len(bank.read(files["normals_generated"]))
    kept = sum(int(read_csv(path)["keep"].sum()) for path in files["gate_images"])
    assert ("released", kept, True) in gates["composites"].parts


def test_key_numbers_are_held_against_their_aims(files):
    cards = {card.label: card for card in assemble(files, VIEW).cards}
    assert cards["Nodules found by the segmenter"].verdict == "open"  # .9 [.8, .95] against .85
    assert cards["Diameters, generated to real"].verdict == "good"  # .7 [.4, 1.2] against 2 mm
    assert cards["Generated lungs of a real size"].verdict == "good"  # .8 [.5, .97] against .5, .95 against .9
    assert cards["Anatomy of generated lungs"].verdict == "bad"  # .6 against .8 less .08
    assert cards["Anatomy of refined slices"].verdict == "open"  # .78 [.73, .83] against .8 less .05
    assert cards["KID, refined minus composite"].verdict == "good"  # -.8 [-1.2, -.3] against 0
    assert cards["Lesions moved by refinement"].verdict == "bad"  # 1 of 6 against .03
    assert cards["Lung density after refinement"].value == pytest.approx(10)


def test_monitor_lines_stand_at_points_though_verdicts_speak_of_steps(files):
    made = {one.name: one for one in trainings(files, flat(VIEW))}
    one = made["nodule generator"]
    assert (one.kind, one.e0, one.stop, one.diverged) == ("w_capsule", 20, 99, None)  # step 500 of 5 a point
    assert list(one.curves) == ["generator", "critic"]
    assert made["refiner"].kind == "cyclegan"
    assert one.monitored == ("generator", "critic") and one.slopes["point"].tolist() == [*range(50, 120, 10), 119]


def test_what_was_scored_is_shown_as_it_was_scored(files):
    data = assemble(files, VIEW)
    diameter = data.distributions[0]
    assert (diameter.name, diameter.real.tolist()) == ("Diameter", [8.0])
    assert diameter.others["generated"].tolist() == [8.7] and diameter.apart["generated"] == (0.2, 0.7)
    assert "fit bank" in diameter.others and "fit bank" not in diameter.apart
    assert (data.positions.real.tolist(), data.positions.placed.tolist()) == ([[0.2, 0.5]], [[0.4, 0.7]])
    assert data.positions.apart == {"left to right": (0.2, 0.2)}
    lungs = data.lung_area
    assert (lungs.unit, lungs.real.tolist(), lungs.band) == ("cm²", [250.0], (180.0, 300.0))
    assert lungs.apart == {"selected": (0.2, 50.0)}
    (card,) = [card for card in data.cards if card.label.startswith("Diameters")]
    assert card.value == 0.7 and "1.3 mm to the fit bank" in card.note and "3 mm before selection" in card.note


def test_rules_of_the_graph_are_those_behind_the_page(files):
    data = assemble(files, VIEW, records(files), ENVIRONMENT, PAGE)
    assert set(data.edges) == {
        ("cut_banks", "train"),
        ("train", "make_report"),
        ("train", "write_release"),
        ("write_release", "make_report"),
    }
    assert data.provenance["trained_on"] == "cpu"  # the old rule's device is not told
    assert data.provenance["code"] == ENVIRONMENT["tree"]


def test_mining_between_two_segments_of_a_training_is_no_circle(files):
    state, mined, last = (f"results/tiny/segment/{name}" for name in ("state-0.pt", "hard.npz", "state-1.pt"))
    chain = [
        {"rule": "train", "inputs": [], "outputs": {state: ""}, "facts": {}},
        {"rule": "mine", "inputs": [state], "outputs": {mined: ""}, "facts": {}},
        {"rule": "train", "inputs": [state, mined], "outputs": {last: ""}, "facts": {}},
        {"rule": "score", "inputs": [last], "outputs": {str(files["scores"]): ""}, "facts": {}},
    ]
    data = assemble(files, VIEW, chain, {}, PAGE)
    assert ("train (first)", "mine") in data.edges and ("mine", "train") in data.edges
    assert {data.stages[rule] for rule in ("train (first)", "mine", "train")} == {"segment"}
    assert "train (first)" in page(data)


def test_a_training_that_does_not_repeat_byte_for_byte_is_told():
    once = [{"facts": {"device": "cpu", "bitwise": True}}, {"facts": {"device": "cuda", "bitwise": False}}]
    told = provenance(once, {})
    assert told["trained_on"] == "cpu, cuda"
    assert "bytes" not in told["a second run gives"]
    assert "bytes" in provenance(once[:1], {})["a second run gives"]


def test_records_come_in_the_order_of_their_names(tmp_path):
    for name in ("b", "a"):
        write_json(tmp_path / f"{name}.json", {"rule": name})
    assert [record["rule"] for record in read_records(tmp_path)] == ["a", "b"]
    assert read_records(tmp_path / "nowhere") == []


def test_settings_are_told_key_by_key():
    assert flat(VIEW)["cohort.sources[0].reader"] == "phantom"
    assert flat(VIEW)["image.window_hu"] == "-1000, 400"


def test_nothing_is_warned_of_where_nothing_is_wrong(tmp_path):
    bank.write(tmp_path / "lesions_test.npz", slices(4, 2, 1, lesions=True))
    write_csv(tmp_path / "detection.csv", pd.DataFrame({"system": ["segmenter"], "nodules": [46]}))
    write_csv(tmp_path / "quarantine.csv", pd.DataFrame(columns=["scan", "reason"]))
    write_json(tmp_path / "scores.json", [score("fid", 5.0, 1.0), score("precision", 0.2, 0.9)])
    files = {name: tmp_path / f"{name}.csv" for name in ("detection", "quarantine")}
    files |= {"lesions_test": tmp_path / "lesions_test.npz", "score_facts": [tmp_path / "scores.json"]}
    assert cautions(files | {"lesions_domain": files["lesions_test"]}, [{"reader": "luna16"}]) == []


def score(metric, value, floor, warnings=()):
    """Of generated pictures, as a file of scores has it."""
    one = {"metric": metric, "value": value, "floor": floor, "warnings": list(warnings)}
    return one | {"set": "generated", "reference": "pictures_test"}


@pytest.mark.parametrize("value, floor, said", [(0, 0.96, True), (0.1, 0.9, True), (0.25, 0.9, False), (0, 0, False)])
def test_images_like_nothing_real_are_said_to_be(tmp_path, value, floor, said):
    write_json(tmp_path / "scores.json", [score("precision", value, floor)])
    lines = cautions({"score_facts": [tmp_path / "scores.json"]})
    words = f"Of the generated pictures {value:.0%} lie among real ones, and of other real ones {floor:.0%}: "
    assert [line.startswith(words) for line in lines] == ([True] if said else [])


@pytest.mark.parametrize("collapsed", [True, False])
def test_a_generator_that_has_collapsed_is_said(tmp_path, collapsed):
    write_json(tmp_path / "state.json", {"spread": 0.04, "collapsed": collapsed})
    lines = cautions({"verdict_nodules": tmp_path / "state.json"})
    assert [line.startswith("The generator of nodules has collapsed: its images spread 0.04") for line in lines] == (
        [True] if collapsed else []
    )


def test_a_reader_is_warned_of_what_weakens_the_numbers(files, tmp_path):
    bank.write(tmp_path / "one.npz", slices(4, 1, 1))  # without a lesion
    weak = files | {"lesions_test": tmp_path / "one.npz", "lesions_domain": tmp_path / "one.npz"}
    lines = cautions(weak, [{"reader": "phantom"}, {"reader": "lidc"}])
    for words in (
        "Some scans are digital",
        "one patient",
        "12 nodules",
        "carry no marks",
        "FID",
        "1 scan was left out",
    ):
        assert sum(words in line for line in lines) == 1, words
    assert any(line.startswith("All scans") for line in cautions({}, [{"reader": "phantom"}]))


def test_a_shipped_generator_and_what_it_learnt_from_stand_before_any_number(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "MODELS", tmp_path)
    folder = tmp_path / "chests"
    folder.mkdir()
    recipe = {"generate": {"normals": {}}, "images": 4805, "patients": {"fit": ["a", "b"]}}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    (tmp_path / "recipe.json").write_text(json.dumps({"segment": {}}))
    files = {"recipes": [folder / "recipe.json", tmp_path / "recipe.json"]}
    words = "Generated normals come from models/chests, which learnt from 4805 images of 2 patients"
    assert cautions(files) == [f"{words}."]
    (folder / "scores.csv").write_text("set,metric,value\nheld_out,authenticity,0.6\ngenerated,membership,0.53\n")
    assert cautions(files) == [
        f"{words}; these are told from others by its images with an AUC of 0.53 (.5: not at all)."
    ]
    (folder / "scores.csv").unlink()
    (folder / "recipe.json").write_text(json.dumps(recipe | {"started_from": ["weights"]}))
    before = words.replace("images of", "images, and networks before it from others, of")
    assert cautions(files) == [f"{before}."]
    monkeypatch.undo()
    assert cautions(files) == [f"{before.replace('models/chests', str(folder))}."]


@pytest.mark.parametrize(("findings", "said"), [(1.0, True), (0.1, False), (None, False)])
def test_a_gate_that_sees_lesions_everywhere_is_said(tmp_path, findings, said):
    point = {"threshold": 0.4, "sensitivity": 0.91, "nodules": 67, "findings": findings, "normals": 21}
    (tmp_path / "gate_threshold.json").write_text(json.dumps(point))
    lines = cautions({"gate_threshold": tmp_path / "gate_threshold.json"})
    assert lines == (
        [
            "At the threshold that finds 91% of the nodules in tune slices, the gate's segmenter finds something "
            "in 21 of 21 normal ones: that it finds nothing invented proves little."
        ]
        if said
        else []
    )


@pytest.mark.parametrize(("missed", "said"), [(2, True), (1, False)])
def test_a_judge_that_does_not_find_what_was_laid_is_said(tmp_path, missed, said):
    table = pd.DataFrame({"what": ["not found before"], "hits": [missed], "n": [10], "share": [missed / 10]})
    table.to_csv(tmp_path / "judge.csv", index=False)
    lines = cautions({"judge": tmp_path / "judge.csv"})
    assert [line.startswith("The judge of refinement finds 8 of 10 lesions laid") for line in lines] == [True] * said


def test_gate_and_judge_stand_side_by_side_and_the_judge_s_rates_are_published(files):
    data = assemble(files, VIEW)
    assert list(data.eyes.columns) == ["what", "of", "seen by the gate", "seen by the judge"]
    told = data.eyes.set_index("what")
    assert told.loc["erased", "seen by the judge"] == "16.7 % [3, 56]"
    assert told.loc["something found in normal tune slices"].tolist() == ["0 normals", "10.0 %", "–"]
    cards = {card.label: card for card in data.cards}
    assert cards["Lesions erased"].note == "by a segmenter that the gate does not see through"
    alone = assemble({name: path for name, path in files.items() if not name.startswith("judge")}, VIEW)
    assert list(alone.eyes.columns) == ["what", "of", "seen by the gate"]
    assert {card.label: card for card in alone.cards}["Lesions erased"].note == "by the gate's own segmenter"


def test_networks_that_know_digital_chests_only_are_named_where_the_scans_are_of_people(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "MODELS", tmp_path)
    for name, patient in (("chests", "seed 7001: phantom-0000"), ("people", "LIDC-IDRI-0004")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "recipe.json").write_text(json.dumps({"segment": {}, "patients": {"fit": [patient]}}))
    files = {"recipes": [tmp_path / name / "recipe.json" for name in ("chests", "people")]}
    assert cautions(files, [{"reader": "dicom"}]) == [
        "Digital chests are all that models/chests learnt from, and no scan of this study is one."
    ]
    assert not any("learnt from" in line for line in cautions(files, [{"reader": "phantom"}]))
