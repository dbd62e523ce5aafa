"""Trained networks that ship in models/: one folder each, with weights, recipe and card."""

import json
from pathlib import Path
from typing import Any

from lungsynth.study.errors import StudyError, nearest
from lungsynth.train.weights import RECIPE, WEIGHTS

MODELS = Path(__file__).resolve().parents[2] / "models"
CARD = "CARD.md"


def weights_of(name: str) -> str:
    """The file with the weights of a shipped network."""
    return str(MODELS / name / WEIGHTS)


def recipe_path(name: str) -> str:
    """The file with its recipe."""
    return str(MODELS / name / RECIPE)


def _names() -> list[str]:
    """The shipped networks: folders of models/ with a recipe."""
    return sorted(path.parent.name for path in MODELS.glob(f"*/{RECIPE}"))


def recipe_of(name: str) -> dict[str, Any]:
    """What stands in the recipe of a shipped network.

    Raises:
        StudyError: there is no such network, or its recipe cannot be read.
    """
    if name not in _names():
        hint = nearest(name, _names(), "there are")
        raise StudyError(f"segment.init_from: got {name!r}; models/ has no such folder{hint}")
    try:
        return json.loads((MODELS / name / RECIPE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(f"segment.init_from: models/{name}/{RECIPE} cannot be read ({error})") from None


def taken_over(config: dict[str, Any]) -> dict[str, Any]:
    """The study's settings with those of the network that `segment.init_from` names in their place.

    What the network is (kind, widths, grid) comes from its recipe, whatever the study says: other weights would not
    fit. How it is trained further stays the study's.
    """
    segment = config.get("segment")
    name = segment.get("init_from") if isinstance(segment, dict) else None
    if not isinstance(name, str):
        return config
    return {**config, "segment": _merged(segment, recipe_of(name)["segment"])}


def _merged(own: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`own` with the values of `over` in their places, blocks in blocks."""
    both = {
        key: _merged(own[key], value) if isinstance(value, dict) and isinstance(own.get(key), dict) else value
        for key, value in over.items()
    }
    return {**own, **both}


def file_to_start_from(name: str) -> str:
    """The weights that `init_from` names: a folder of models/, or a file (.safetensors, or a run's state .pt).

    Raises:
        StudyError: neither.
    """
    if (MODELS / name / WEIGHTS).is_file():
        return weights_of(name)
    if Path(name).suffix in (".pt", ".safetensors") and Path(name).is_file():
        return str(Path(name).resolve())
    raise StudyError(
        f"init_from: got {name!r}; that is no run of this study, no folder of models/ (there are: "
        f"{', '.join(_names())}) and no file of weights"
    )
