"""A training has a name; two of one name are one; what an older study called otherwise is told its new place."""

import copy
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from lungsynth.generate.choose import by_kid, by_slope
from lungsynth.study.errors import StudyError
from lungsynth.study.runs import Run, by_name, chosen, extractor, runs_of
from lungsynth.study.training import Training
from lungsynth.train.checkpoints import Verdict
from lungsynth.workflow.files import Files
from lungsynth.workflow.layout import OLD, refuse_old_results
from lungsynth.workflow.networks import count
from lungsynth.workflow.settings import load

DEFAULT = yaml.safe_load((Path(__file__).resolve().parents[2] / "config.yaml").read_text(encoding="utf-8"))


CONFIG = copy.deepcopy(DEFAULT)
"""The default study, with segmenter and nodules trained by itself."""
CONFIG["segment"]["training"]["steps"] = CONFIG["generate"]["nodules"]["training"]["steps"] = 6


def with_value(path, value):
    made = copy.deepcopy(CONFIG)
    *parents, last = path.split(".")
    block = made
    for name in parents:
        block = block.setdefault(name, {})
    block[last] = value
    return made


def test_a_run_is_called_stage_target_label_seed():
    names = sorted(runs_of(load(CONFIG)))
    assert names == [
        "generate/nodules/w_capsule-2023",
        "refine/composites/cyclegan-2023",
        "segment/nodules/dense_unet-2023",
    ]


def test_a_network_that_is_used_as_it_is_is_no_run():
    assert list(runs_of(load(DEFAULT))) == ["refine/composites/cyclegan-2023"]


def test_equal_runs_of_one_name_are_one_and_unequal_ones_are_refused():
    one = Run(stage="generate", target="nodules", label="dcgan", seed=1, kind="dcgan", settings={"z": 40})
    assert by_name([one, one.model_copy()]) == {one.name: one}
    other = one.model_copy(update={"settings": {"z": 50}, "training": Training(steps=9)})
    with pytest.raises(StudyError, match=r"generate/nodules/dcgan-1: .* differ in settings\.z \(40 and 50\), training"):
        by_name([one, other])
    assert len(by_name([one, other.model_copy(update={"label": "wide"})])) == 2


def test_protection_by_a_single_word_is_told_its_new_place():
    with pytest.raises(StudyError, match=r"refine\.protect: .*refine\.protect\.lesions"):
        load(with_value("refine.protect", True))


@pytest.mark.parametrize(
    "start, words",
    [
        ("no_such_network", "no folder of models/"),
        ("missing.pt", "no file of weights"),
        ("generate/nodules/w_capsule-2023", "cannot start from itself"),
        ("generate/nodules/w_capsule-7", "no run of this study"),
    ],
)
def test_what_a_run_cannot_start_from_is_one_line_before_any_job(start, words):
    with pytest.raises(StudyError, match=words) as caught:
        load(with_value("generate.nodules.init_from", start))
    assert "\n" not in str(caught.value)


def test_a_run_may_start_from_another_run():
    study = load(with_value("generate.nodules.init_from", "refine/composites/cyclegan-2023"))
    assert runs_of(study)["generate/nodules/w_capsule-2023"].init_from == "refine/composites/cyclegan-2023"


def test_every_network_of_a_study_is_counted_whether_it_is_trained_or_taken_as_it_is():
    study = load(with_value("generate.nodules", {"kind": "dcgan", "dcgan": {"preset": "draw_ai"}}))
    runs = [*chosen(study), *(extractor(study, name) for name in ("nodules", "slices"))]
    table = count(runs, study.banks, study.image, study.features, {}).set_index(["run", "network"])
    assert set(table.index.get_level_values("run")) == {run.name for run in runs}
    assert (table["total"] == table["trainable"] + table["other"]).all()
    published = table["paper"].dropna()
    assert published.to_dict() == {
        ("generate/nodules/dcgan-2023", "generator"): 27_265_281,
        ("generate/nodules/dcgan-2023", "critic"): 582_785,
    }
    assert table.loc[("refine/composites/cyclegan-2023", "to_real"), "other"] == 0
    assert table.loc[("features/slices/compact-2023", "extractor"), "other"] > 0


def test_results_of_an_older_layout_are_named_and_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse_old_results("demo")
    state = tmp_path / "results/demo" / OLD[1]
    state.parent.mkdir(parents=True)
    state.write_bytes(b"weights")
    with pytest.raises(
        StudyError, match=r"results/demo: was made by an older version \(generate/nodules/state-0\.pt\)"
    ):
        refuse_old_results("demo")
    assert state.read_bytes() == b"weights"


def nodules_drawn_by(use):
    """The files of the study whose nodules come from the state that `use` names."""
    study = load(with_value("generate.nodules.use", use))
    return Files(study, runs_of(study))


def test_the_last_state_draws_where_nothing_else_is_asked_for_and_nothing_is_chosen():
    files = nodules_drawn_by("last")
    assert files.drawing("nodules") == ["results/demo/generate/nodules/w_capsule-2023/state-1.pt"]
    assert files.choices() == []


@pytest.mark.parametrize("use", ["slope", "best_kid"])
def test_a_state_is_chosen_among_all_with_tune_images_alone(use):
    files, folder = nodules_drawn_by(use), "results/demo/generate/nodules/w_capsule-2023"
    assert files.drawing("nodules") == [f"{folder}/chosen.pt"] == files.choices()[:1]
    inputs = files.to_choose_from(SimpleNamespace(target="nodules", run="w_capsule-2023"))
    assert inputs["states"] == [f"{folder}/state-{k}.pt" for k in (0, 1)]
    assert inputs["verdicts"] == [f"{folder}/state-{k}.json" for k in (0, 1)]
    assert inputs.get("tune") == (None if use == "slope" else "results/demo/banks/nodules_tune.npz")
    assert "test" not in str(inputs)


def test_where_nothing_is_trained_there_is_no_state_to_choose():
    with pytest.raises(StudyError, match=r"generate\.normals: use: slope .* training\.steps is 0"):
        load(with_value("generate.normals.use", "slope"))


def verdict(step, stop_step):
    facts = {"points": step, "mode": "report", "stopped": False, "diverged_step": None, "window_point": 0}
    facts |= {"verdict": "running", "monitored": [], "spread": None, "collapsed": False, "device": "cpu"}
    return Verdict("generate/nodules/gan-1", step, 400, stop_step=stop_step, bitwise=True, **facts)


@pytest.mark.parametrize("stop, taken", [(150, 1), (200, 1), (201, 2), (400, 3), (None, 3)])
def test_by_slope_the_first_state_at_or_after_the_stop_draws(stop, taken):
    verdicts = [verdict(step, stop if stop and step >= stop else None) for step in (100, 200, 300, 400)]
    choice = by_slope(verdicts)
    assert (choice.checkpoint, choice.step, choice.kids) == (taken, 100 * (taken + 1), None)


def test_by_kid_the_nearest_to_tune_draws_and_of_equal_ones_the_earlier():
    choice = by_kid([verdict(step, None) for step in (100, 200, 300)], [0.5, -0.1, -0.1])
    assert (choice.checkpoint, choice.step, choice.kids) == (1, 200, (0.5, -0.1, -0.1))
