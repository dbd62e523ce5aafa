"""Trained networks that ship: a folder of models/ each, with weights, recipe and card. No torch is imported here."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lungsynth.study.errors import StudyError, nearest

MODELS = Path(__file__).resolve().parents[2] / "models"
WEIGHTS, RECIPE, CARD, SCORES = "weights.safetensors", "recipe.json", "CARD.md", "scores.csv"
"""The recipe lies beside released weights and states their digest; a generator's scores lie there too."""


def names() -> list[str]:
    """The networks that ship, sorted."""
    return sorted(path.parent.name for path in MODELS.glob(f"*/{RECIPE}"))


def weights_path(name: str) -> str:
    """The file with the weights of a shipped network."""
    return str(MODELS / name / WEIGHTS)


def recipe_path(name: str) -> str:
    """The file with its recipe."""
    return str(MODELS / name / RECIPE)


def recipe_of(name: str, key: str = "init_from") -> dict[str, Any]:
    """What stands in the recipe of a shipped network.

    Args:
        key: of the settings that name it, for messages.

    Raises:
        StudyError: there is no such network, or its recipe cannot be read.
    """
    if name not in names():
        hint = nearest(name, names(), "there are")
        raise StudyError(f"{key}: got {name!r}; models/ has no such folder{hint}")
    try:
        return json.loads((MODELS / name / RECIPE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(f"{key}: models/{name}/{RECIPE} cannot be read ({error})") from None


PHANTOM = "phantom"
"""First word of the names of digital patients."""


def of_phantoms(recipe: Mapping[str, Any]) -> bool:
    """Whether a shipped network has learnt from digital chests only; its recipe names these `seed N: phantom-...`."""
    people = [patient for some in recipe.get("patients", {}).values() for patient in some]
    return bool(people) and all(f": {PHANTOM}-" in patient for patient in people)


def kinds_of(name: str) -> list[str]:
    """The kinds of generator in a shipped folder."""
    return sorted({block["kind"] for block in recipe_of(name, "draw.network").get("generate", {}).values()})
