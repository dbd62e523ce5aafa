"""Networks that ship: weights come back as they were, and a study that starts from one takes over what it is."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
import yaml

from lungsynth.cohort.conclude import refuse_seen
from lungsynth.ct.files import sha256
from lungsynth.generate.pretrained import load as load_generator
from lungsynth.segment.apply import load as load_detector
from lungsynth.segment.apply import make_kind, seen_through
from lungsynth.segment.outlines.outline import load as load_outliner
from lungsynth.segment.release import recipe as segmenter_recipe
from lungsynth.segment.scoring.threshold import OperatingPoint
from lungsynth.segment.volumetric.judge import load as load_judge
from lungsynth.sets.seen import who_was_seen, with_earlier
from lungsynth.study import models as models_folder
from lungsynth.study.errors import DataError, StudyError
from lungsynth.study.runs import Run, segmenter
from lungsynth.study.stages.segment import ChosenDetector, CubeNetwork, Cuts, Network, OutlineNetwork, Segment
from lungsynth.study.training import Training
from lungsynth.train import weights
from lungsynth.train.checkpoints import RunPlan
from lungsynth.train.data import Source
from lungsynth.train.state import TrainingState, start_from
from lungsynth.workflow.files import Files
from lungsynth.workflow.settings import load

CONFIG = yaml.safe_load((Path(__file__).resolve().parents[2] / "config.yaml").read_text(encoding="utf-8"))
NETWORK = Network(slices=1)
TINY = {"widths": (4, 8), "growth": 2, "layers": 1}


@pytest.fixture
def models(tmp_path, monkeypatch):
    """models/tiny: a recipe of another network than the default study's."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    architecture = {"widths": [4, 8], "growth": 2, "layers": 1, "window_hu": [-1000, 400], "temperature": 2}
    segment = {
        "kind": "dense_unet",
        "dense_unet": {"architecture": architecture},
        "network": {"slices": 1, "spacing_mm": 0.7, "native_mm": [0.4, 1.0]},
        "operating_point": {"candidate_score": "mean"},
    }
    (folder / "recipe.json").write_text(json.dumps({"segment": segment}))
    monkeypatch.setattr(models_folder, "MODELS", tmp_path)
    return tmp_path


NO_GENERATOR = {
    "nodules": {"init_from": None, "training": {"steps": 4}},
    "normals": {"init_from": None, "training": {"steps": 4}, "detail": {"factor": 1}},
}


def with_segment(**changes):
    return CONFIG | {
        "segment": CONFIG["segment"] | changes,
        "generate": CONFIG["generate"] | NO_GENERATOR,
        "refine": CONFIG["refine"] | {"gate": CONFIG["refine"]["gate"] | {"eye": None}, "judge": None},
    }


def modules(architecture=TINY, seed=0):
    """Fresh networks of a detector."""
    torch.manual_seed(seed)
    detector = ChosenDetector(
        kind="dense_unet", settings={"architecture": architecture, "window_px": 16}, network=NETWORK
    )
    kind = make_kind(detector)
    return kind.build(kind.shape)


def test_weights_come_back_as_they_were_and_equal_weights_are_equal_files(tmp_path):
    given = modules() | {"second": torch.nn.Linear(2, 3), "without weights": torch.nn.ReLU()}
    for name in ("a", "b"):
        weights.write(tmp_path / f"{name}.safetensors", given)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    again = modules(seed=1) | {"second": torch.nn.Linear(2, 3), "without weights": torch.nn.ReLU()}
    weights.fill(again, tmp_path / "a.safetensors")
    for name, module in given.items():
        for key, value in module.state_dict().items():
            assert torch.equal(value, again[name].state_dict()[key])


def test_weights_of_another_network_and_damaged_ones_are_refused_in_one_line(tmp_path):
    path = tmp_path / "w.safetensors"
    weights.write(path, modules())
    wider = modules({"widths": (8, 16)})
    with pytest.raises(DataError, match=r"w\.safetensors: does not fit the network 'segmenter'") as caught:
        weights.fill(wider, path)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="holds the weights of segmenter; wanted are those of generator, critic"):
        weights.fill({"generator": torch.nn.Linear(2, 3), "critic": torch.nn.Linear(2, 3)}, path)
    path.write_bytes(path.read_bytes()[:50])
    for file in (path, tmp_path / "none.safetensors"):
        with pytest.raises(DataError, match="cannot be read as weights") as caught:
            weights.fill(modules(), file)
        assert "\n" not in str(caught.value)


def test_a_training_starts_from_released_weights(tmp_path):
    path = tmp_path / "w.safetensors"
    weights.write(path, modules(seed=3))
    kind = make_kind(ChosenDetector(kind="dense_unet", settings={"architecture": TINY}, network=NETWORK))
    plan = RunPlan("segment/nodules/dense_unet-0", 0, Training(steps=2, checkpoints=2, ema=0.9), start=path)
    state = TrainingState(kind, Source(lambda rng: {}, kind.shape), plan, torch.device("cpu"))
    start_from(state, path)
    wanted = modules(seed=3)["segmenter"].state_dict()
    for module in (state.modules["segmenter"], state.averages["segmenter"].module):
        assert all(torch.equal(value, wanted[key]) for key, value in module.state_dict().items())


def test_a_study_takes_over_what_the_network_is_and_keeps_how_it_trains(models):
    own = {"window_px": 24, "architecture": {"widths": [16, 32]}}
    study = load(with_segment(init_from="tiny", training={"steps": 0}, dense_unet=own))
    network = study.segment.network
    assert (network.slices, network.spacing_mm, network.native_mm) == (1, 0.7, (0.4, 1.0))
    assert (study.segment.operating_point.candidate_score, study.segment.operating_point.max_false_positives) == (
        "mean",
        3,
    )
    block = study.segment.block()
    assert (block["architecture"]["widths"], block["architecture"]["temperature"]) == ([4, 8], 2)
    assert block["window_px"] == 24


def test_a_network_that_does_not_ship_is_named_with_the_nearest(models):
    with pytest.raises(StudyError, match=r"segment\.init_from: got 'tony'.*did you mean 'tiny'"):
        load(with_segment(init_from="tony"))


def test_a_folder_laid_out_like_those_of_models_is_named_by_its_path(models, monkeypatch):
    """As by its name, from the working directory; by a path its weights must lie there too."""
    by_name = load(with_segment(init_from="tiny", training={"steps": 0}))
    monkeypatch.setattr(models_folder, "MODELS", models / "none")
    monkeypatch.chdir(models)
    with pytest.raises(StudyError, match=r"^segment\.init_from: got './tiny'; that is no folder with weights\."):
        load(with_segment(init_from="./tiny", training={"steps": 0}))
    (models / "tiny/weights.safetensors").touch()
    by_path = load(with_segment(init_from="./tiny", training={"steps": 0}))
    kept = {"init_from"}
    assert by_path.segment.model_dump(exclude=kept) == by_name.segment.model_dump(exclude=kept)
    assert models_folder.weights_path("./tiny") == "tiny/weights.safetensors"
    files = Files(by_path, {})
    assert "tiny/recipe.json" in files.recipes() and files.earlier(segmenter(by_path)) == ["tiny/recipe.json"]


def drawn(network, wildcards):
    """The folder that `draw` fills, and the network that it is drawn from."""
    files = Files(load(CONFIG | {"draw": {"network": network, "count": 3}}), {})
    folder = files.drawn()(None)
    return folder, files.drawing_from(wildcards(network=folder.rpartition("/")[2]))


def test_a_generator_is_drawn_from_by_name_or_by_path(tmp_path, monkeypatch, capsys):
    shutil.copytree(models_folder.MODELS / "phantom_nodules", tmp_path / "mine/ours")
    (tmp_path / "mine/half").mkdir()
    shutil.copy(models_folder.MODELS / "phantom_nodules/recipe.json", tmp_path / "mine/half")
    monkeypatch.chdir(tmp_path)
    assert drawn("phantom_nodules", SimpleNamespace) == ("results/demo/draw/phantom_nodules", "phantom_nodules")
    for path in ("mine/ours", "mine/ours/", str(tmp_path / "mine/ours")):
        assert drawn(path, SimpleNamespace) == ("results/demo/draw/ours", path)
    for wrong in ("mine/half", "mine/none", "mine", "ours", "nodule_segmenter", None):
        with pytest.raises(SystemExit):
            drawn(wrong, SimpleNamespace)
        told = capsys.readouterr().err
        assert (
            told.startswith(f"lungsynth: draw.network: got {wrong!r}; of models/ these are") and told.count("\n") == 1
        )


def test_no_steps_and_no_network_is_refused():
    with pytest.raises(StudyError, match="steps: 0 trains nothing"):
        load(with_segment(init_from=None, training={"steps": 0}))


@pytest.mark.parametrize("folder", sorted(models_folder.MODELS.glob("*/")), ids=lambda path: path.name)
def test_every_shipped_network_loads_is_small_and_has_its_card(folder):
    recipe = models_folder.recipe_of(folder.name)
    path = Path(models_folder.weights_path(folder.name))
    if "generate" not in recipe:
        if "segment" in recipe:
            assert load_detector(Segment(**recipe["segment"]).detector, path).modules
        elif "outlines" in recipe:
            assert not load_outliner(OutlineNetwork(**recipe["outlines"]["network"]), path).module.training
        else:
            own = recipe["volumetric"]
            assert not load_judge(CubeNetwork(**own["network"]), path, Cuts(**own["cuts"])).module.training
        assert not set(recipe["patients"]["fit"]) & set(recipe["patients"]["tune"])
        assert path.stat().st_size <= 5e6
    else:
        made = load_generator(folder.name).sample(2, seed=3)
        assert made.images.shape == (2, *[recipe["grid"]["size_px"]] * 2) and made.masks.any((1, 2)).any()
        networks = weights.read(path)
        assert max(sum(2 * value.numel() for value in network.values()) for network in networks.values()) <= 5e6
    assert sha256(path) == recipe["sha256"]
    assert len((folder / models_folder.CARD).read_text(encoding="utf-8").splitlines()) > 20
    assert recipe["patients"]["fit"]


@pytest.mark.parametrize("folder", sorted(models_folder.MODELS.glob("*/")), ids=lambda path: path.name)
def test_no_test_patient_of_real_ct_is_in_shipped_weights(folder):
    """Whole scans of these, and nodules of patients with this hash, are what others' results are measured on."""
    people = models_folder.recipe_of(folder.name)["patients"]["fit"]
    assert not {"LIDC-IDRI-0001", "LIDC-IDRI-0293"} & set(people)
    if folder.name != "nodule_segmenter":  # it has learnt from these two, as its card says
        assert not {"LIDC-IDRI-0350", "LIDC-IDRI-1011"} & set(people)


def test_weights_that_are_not_those_of_the_recipe_beside_them_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    weights.write(path, modules())
    (tmp_path / "recipe.json").write_text(json.dumps({"sha256": sha256(path)}))
    weights.fill(modules(), path)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DataError, match=r"weights\.safetensors: its SHA-256 is not the one that recipe\.json states"):
        weights.fill(modules(), path)


@pytest.fixture
def phantom_models(models):
    """models/chests: the same network, learnt from digital chests."""
    recipe = json.loads((models / "tiny" / "recipe.json").read_text())
    (models / "chests").mkdir()
    people = {"fit": ["seed 7001: phantom-0000"], "tune": ["seed 7001: phantom-0104"]}
    (models / "chests" / "recipe.json").write_text(json.dumps(recipe | {"patients": people}))
    (models / "chests" / "weights.safetensors").touch()
    return models


def judged_by(name, eye=None, **segment):
    config = with_segment(init_from=None, training=CONFIG["segment"]["training"] | {"steps": 6})
    config = config | {"refine": config["refine"] | {"gate": {"eye": eye}, "judge": name}}
    return config | {"segment": config["segment"] | segment}


def test_a_judge_is_a_shipped_segmenter_and_not_the_study_s_own(phantom_models):
    assert load(judged_by("chests")).refine.judge == "chests"
    with pytest.raises(StudyError, match=r"^refine\.judge: got 'chest'; models/ has no such folder; did you mean"):
        load(judged_by("chest"))
    with pytest.raises(StudyError, match=r"^refine\.judge: chests is the study's own segmenter, and cannot"):
        load(judged_by("chests", init_from="chests"))
    with pytest.raises(StudyError, match=r"^refine\.judge: .*/chests is the study's own segmenter, and cannot"):
        load(judged_by(str(phantom_models / "chests"), init_from="chests"))
    with pytest.raises(StudyError, match=r"^refine\.judge: chests is what the gate sees through, and cannot"):
        load(judged_by("chests", eye="chests"))
    with pytest.raises(StudyError, match=r"^refine\.gate\.eye: got 'chest'; models/ has no such folder"):
        load(judged_by(None, eye="chest"))


@pytest.mark.parametrize(
    "recipe, words",
    [("[1]", "is no recipe"), ("{", "cannot be read"), ('{"generate": {"normals": {}}}', "names no kind of generator")],
)
def test_a_recipe_that_draws_nothing_is_one_line(tmp_path, recipe, words, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/recipe.json").write_text(recipe)
    (tmp_path / "mine/weights.safetensors").touch()
    with pytest.raises(SystemExit):
        drawn(str(tmp_path / "mine"), SimpleNamespace)
    told = capsys.readouterr().err
    assert told.startswith("lungsynth: draw.network: ") and words in told and told.count("\n") == 1


def test_what_is_drawn_by_path_is_called_by_the_study_that_released_it():
    assert models_folder.label_of("results/cxr/generate/pictures/released") == "cxr-pictures-released"
    assert models_folder.label_of("somewhere/films/") == "films"
    assert models_folder.label_of("phantom_slices") == "phantom_slices"


def test_a_recipe_names_digital_patients_by_their_seed_and_scans_by_their_pixels():
    scans = pd.DataFrame(
        {
            "patient": ["phantom-0001", "b", "a"],
            "role": ["fit", "tune", "fit"],
            "kind": ["volume", "patch", "slice"],
            "pixels": ["33", "22", "11"],
        }
    )
    assert who_was_seen(scans, 7) == {
        "patients": {"fit": ["a", "seed 7: phantom-0001"], "tune": ["b"]},
        "scans": ["11", "33"],
    }


OLD = {
    "patients": {"fit": ["b", "old"], "tune": ["older"]},
    "scans": ["22", "00"],
    "sha256": "of old weights",
    "segment": {},
}


def test_a_recipe_names_those_whom_the_network_that_it_started_from_has_seen():
    own = {"patients": {"fit": ["a", "b"], "test": ["t"]}, "scans": ["11", "22"]}
    assert with_earlier(own, []) == own
    assert with_earlier(own, [OLD, {"patients": {"fit": ["c"]}, "pictures": ["p"], "sha256": "of others"}]) == {
        "patients": {"fit": ["a", "b", "c", "old"], "test": ["t"], "tune": ["older"]},
        "scans": ["00", "11", "22"],
        "pictures": ["p"],
        "started_from": ["of old weights", "of others"],
    }


def test_a_patient_of_the_first_network_is_no_test_patient_two_networks_later():
    """A scan under another name is known by its pixels, and so it is when others have trained the weights further."""
    study = load(with_segment(init_from=None, training=CONFIG["segment"]["training"] | {"steps": 6}))
    point = OperatingPoint(0.2, 0.6, 1.0, 1.0, 4, 2)
    scans = pd.DataFrame({"patient": ["a"], "role": ["fit"], "kind": ["volume"], "pixels": ["11"]})
    second = segmenter_recipe(study.segment, segmenter(study), "second", point, scans, "of second", [OLD])
    third = segmenter_recipe(study.segment, segmenter(study), "third", point, scans, "of third", [second])
    for row in ({"patient": "older", "pixels": "new"}, {"patient": "another name", "pixels": "00"}):
        with pytest.raises(DataError, match=r"is a test patient here, and third has learnt from it"):
            refuse_seen(pd.DataFrame([row]).assign(role="test"), {"third": third})
    refuse_seen(pd.DataFrame([{"patient": "new", "pixels": "new"}]).assign(role="test"), {"third": third})


def test_what_runs_started_from_is_followed_through_runs_and_files_of_weights(phantom_models, monkeypatch):
    monkeypatch.chdir(phantom_models)
    first = Run(stage="generate", target="normals", label="gan", seed=1, kind="gan", init_from="chests")
    second = first.model_copy(update={"label": "gan.further", "init_from": first.name})
    (phantom_models / "others.safetensors").touch()  # no recipe of its own, but one beside it
    (phantom_models / "recipe.json").touch()
    third = first.model_copy(update={"label": "gan.file", "init_from": "others.safetensors"})
    state = first.model_copy(update={"label": "gan.state", "init_from": "state-0.pt"})
    files = Files(load(judged_by(None)), {first.name: first})
    assert files.earlier(second) == [os.path.join("chests", "recipe.json")]
    assert files.earlier(third, second) == [os.path.join("chests", "recipe.json"), "recipe.json"]
    assert files.earlier(state, first.model_copy(update={"init_from": None})) == []


def test_the_judge_is_loaded_by_its_recipe_and_the_gate_s_detector_by_the_study(models):
    own = ChosenDetector(kind="dense_unet", settings={}, network=NETWORK)
    assert seen_through([], own) is own
    judge = seen_through([models / "tiny" / "recipe.json"], own)
    assert judge.network.native_mm == (0.4, 1.0) and judge.settings["architecture"]["widths"] == [4, 8]
