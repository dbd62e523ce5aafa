"""Networks that ship: weights come back as they were, and a study that starts from one takes over what it is."""

import json
from pathlib import Path

import pytest
import torch
import yaml

from lungsynth.segment import weights
from lungsynth.segment.apply import make_kind
from lungsynth.study.errors import DataError, StudyError
from lungsynth.study.stages import Segment
from lungsynth.workflow import shipped
from lungsynth.workflow.settings import load

CONFIG = yaml.safe_load((Path(__file__).resolve().parents[2] / "config.yaml").read_text(encoding="utf-8"))
SMALL = Segment(slices=1, dense_unet={"widths": (4, 8), "growth": 2, "layers": 1, "window_px": 16})


@pytest.fixture
def models(tmp_path, monkeypatch):
    """models/tiny: a recipe of another network than the default study's."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    segment = {"kind": "dense_unet", "slices": 1, "spacing_mm": 0.7, "native_mm": [0.4, 1.0]}
    network = {"widths": [4, 8], "growth": 2, "layers": 1, "window_hu": [-1000, 400], "temperature": 2}
    (folder / "recipe.json").write_text(json.dumps({"segment": segment | {"dense_unet": network}}))
    monkeypatch.setattr(shipped, "MODELS", tmp_path)
    return tmp_path


def with_segment(**changes):
    return CONFIG | {"segment": CONFIG["segment"] | changes}


def test_weights_come_back_as_they_were_and_equal_weights_are_equal_files(tmp_path):
    network = make_kind(SMALL).build()["segmenter"]
    for name in ("a", "b"):
        weights.write(tmp_path / f"{name}.safetensors", network)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    again = make_kind(SMALL, tmp_path / "a.safetensors").build()["segmenter"]
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


def test_weights_of_another_network_and_damaged_ones_are_refused_in_one_line(tmp_path):
    path = tmp_path / "w.safetensors"
    weights.write(path, make_kind(SMALL).build()["segmenter"])
    wider = Segment(slices=1, dense_unet={"widths": (8, 16), "window_px": 16})
    with pytest.raises(DataError, match=r"w\.safetensors: cannot be read as this segmenter's weights") as caught:
        make_kind(wider, path).build()
    assert "\n" not in str(caught.value)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match="cannot be read"):
        make_kind(SMALL, path).build()
    with pytest.raises(DataError, match="cannot be read"):
        make_kind(SMALL, tmp_path / "none.safetensors").build()


def test_a_study_takes_over_what_the_network_is_and_keeps_how_it_trains(models):
    study = load(
        with_segment(init_from="tiny", training={"steps": 0}, dense_unet={"window_px": 24, "widths": [16, 32]})
    )
    assert (study.segment.slices, study.segment.spacing_mm, study.segment.native_mm) == (1, 0.7, (0.4, 1.0))
    block = study.segment.block()
    assert (block["widths"], block["temperature"]) == ([4, 8], 2)
    assert block["window_px"] == 24


def test_a_network_that_does_not_ship_is_named_with_the_nearest(models):
    with pytest.raises(StudyError, match=r"segment\.init_from: got 'tony'.*did you mean 'tiny'"):
        load(with_segment(init_from="tony"))


def test_no_steps_and_no_network_is_refused():
    with pytest.raises(StudyError, match="steps: 0 trains nothing"):
        load(with_segment(training={"steps": 0}))


@pytest.mark.parametrize("folder", sorted(shipped.MODELS.glob("*/")), ids=lambda path: path.name)
def test_every_shipped_network_loads_is_small_and_has_its_card(folder):
    recipe = shipped.recipe_of(folder.name)
    segment = Segment(**recipe["segment"])
    path = Path(shipped.weights_of(folder.name))
    assert make_kind(segment, path).build()["segmenter"]
    assert path.stat().st_size <= 5e6
    assert weights.sha256(path) == recipe["sha256"]
    assert len((folder / shipped.CARD).read_text(encoding="utf-8").splitlines()) > 20
    assert not set(recipe["patients"]["fit"]) & set(recipe["patients"]["tune"])


def test_weights_that_are_not_those_of_the_recipe_beside_them_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    weights.write(path, make_kind(SMALL).build()["segmenter"])
    (tmp_path / "recipe.json").write_text(json.dumps({"sha256": weights.sha256(path)}))
    assert make_kind(SMALL, path).build()
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DataError, match=r"weights\.safetensors: its SHA-256 is not the one that recipe\.json states"):
        make_kind(SMALL, path).build()
