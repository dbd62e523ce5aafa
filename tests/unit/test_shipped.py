"""Networks that ship: weights come back as they were, and a study that starts from one takes over what it is."""

import json
from pathlib import Path

import pytest
import torch
import yaml

from lungsynth.ct.files import sha256
from lungsynth.segment.apply import load as load_detector
from lungsynth.segment.apply import make_kind
from lungsynth.study import models as models_folder
from lungsynth.study.errors import DataError, StudyError
from lungsynth.study.stages.segment import ChosenDetector, Network, Segment
from lungsynth.study.training import Training
from lungsynth.train import weights
from lungsynth.train.checkpoints import RunPlan
from lungsynth.train.data import Source
from lungsynth.train.state import TrainingState, start_from
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


def with_segment(**changes):
    return CONFIG | {"segment": CONFIG["segment"] | changes}


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


def test_no_steps_and_no_network_is_refused():
    with pytest.raises(StudyError, match="steps: 0 trains nothing"):
        load(with_segment(training={"steps": 0}))


@pytest.mark.parametrize("folder", sorted(models_folder.MODELS.glob("*/")), ids=lambda path: path.name)
def test_every_shipped_network_loads_is_small_and_has_its_card(folder):
    recipe = models_folder.recipe_of(folder.name)
    segment = Segment(**recipe["segment"])
    path = Path(models_folder.weights_path(folder.name))
    assert load_detector(segment.detector, path).modules
    assert path.stat().st_size <= 5e6
    assert sha256(path) == recipe["sha256"]
    assert len((folder / models_folder.CARD).read_text(encoding="utf-8").splitlines()) > 20
    assert not set(recipe["patients"]["fit"]) & set(recipe["patients"]["tune"])


def test_weights_that_are_not_those_of_the_recipe_beside_them_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    weights.write(path, modules())
    (tmp_path / "recipe.json").write_text(json.dumps({"sha256": sha256(path)}))
    weights.fill(modules(), path)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DataError, match=r"weights\.safetensors: its SHA-256 is not the one that recipe\.json states"):
        weights.fill(modules(), path)
