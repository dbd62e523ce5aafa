"""config.yaml shows every key that there is, with a word on it; every study file validates."""

from importlib import import_module
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel
from snakemake.utils import update_config

from lungsynth.study.errors import StudyError
from lungsynth.study.study import Study
from lungsynth.workflow.settings import KINDS, load

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "config.yaml").read_text(encoding="utf-8")


def keys_of(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Dotted keys of a model and of the models in it."""
    found = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found += keys_of(inner, f"{prefix}{name}.")
        else:
            found.append(prefix + name)
    return found


def has(values: dict, key: str) -> bool:
    """Whether a dotted key is there."""
    for name in key.split("."):
        if not isinstance(values, dict) or name not in values:
            return False
        values = values[name]
    return True


@pytest.mark.parametrize("key", keys_of(Study))
def test_every_key_of_the_models_stands_in_config_yaml(key):
    assert has(yaml.safe_load(TEXT), key), f"{key} is missing in config.yaml"


def leaves(values: dict, prefix: str = "") -> dict:
    """Dotted key -> value."""
    found = {}
    for name, value in values.items():
        found |= leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def test_config_yaml_says_what_the_models_default_to():
    said, default = (leaves(load(values).model_dump(mode="json")) for values in (yaml.safe_load(TEXT), {}))
    differ = {key: (said.get(key), default.get(key)) for key in {*said, *default} if said.get(key) != default.get(key)}
    assert not differ, f"key: (config.yaml, model): {differ}"


def test_a_block_of_a_kind_says_only_what_differs_from_the_kind_s_own_defaults():
    for path, (room, registry) in KINDS.items():
        block = yaml.safe_load(TEXT)
        for name in path.split("."):
            block = block[name]
        fields = getattr(import_module(room), registry).settings(block["kind"]).model_fields
        for name, value in (block.get(block["kind"]) or {}).items():
            default = fields[name].get_default(call_default_factory=True)
            assert value != default, f"{path}.{block['kind']}.{name}: {value} is the default anyway"


def test_the_words_on_the_default_study_are_in_its_comments():
    """A key without a comment stands under one with it, or explains itself by the block's comment."""
    lines = [line for line in TEXT.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    leaves = [line for line in lines if not line.rstrip().endswith(":") and ":" in line]
    assert sum("#" in line for line in leaves) > 0.8 * len(leaves)


@pytest.mark.parametrize(
    "path", [None, *sorted((ROOT / "studies").glob("*.yaml"))], ids=lambda p: p.name if p else "config"
)
def test_every_study_validates(path, tmp_path, monkeypatch):
    settings = yaml.safe_load(TEXT)
    if path:
        update_config(settings, yaml.safe_load(path.read_text(encoding="utf-8")))
    if settings["pictures"]["path"]:  # a generator a class takes their names from the folder
        monkeypatch.setenv("LUNGSYNTH_DATA", str(tmp_path))
        (tmp_path / settings["pictures"]["path"] / "a class").mkdir(parents=True, exist_ok=True)
    assert load(settings).study


def test_weights_that_are_not_there_are_said_before_any_job(tmp_path, monkeypatch):
    monkeypatch.setenv("LUNGSYNTH_DATA", str(tmp_path))
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["score"]["inception"] = {"path": "inception.pt", "sha256": "0" * 64}
    with pytest.raises(StudyError, match=r"score\.inception\.path: .*'inception\.pt'"):
        load(config)
    (tmp_path / "inception.pt").write_bytes(b"weights")
    assert load(config).score.inception.path == "inception.pt"
