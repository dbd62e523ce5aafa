"""Trained networks that ship: a folder of models/ each, with weights, recipe and card. No torch is imported here.

Where a setting names one, a path of a folder laid out in the same way will do: what has a separator in it is a path.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lungsynth.study.errors import StudyError, nearest

MODELS = Path(__file__).resolve().parents[2] / "models"
WEIGHTS, RECIPE, CARD, SCORES = "weights.safetensors", "recipe.json", "CARD.md", "scores.csv"
"""The recipe lies beside released weights and states their digest; a generator's scores lie there too."""
RELEASED = "released"
"""The folder that a study's own network is released in."""


def names() -> list[str]:
    """The networks that ship, sorted."""
    return sorted(path.parent.name for path in MODELS.glob(f"*/{RECIPE}"))


def folder_of(name: str) -> Path:
    """The folder of a network: of that name in models/, or the path itself, from the working directory."""
    return Path(name) if _is_path(name) else MODELS / name


def weights_path(name: str) -> str:
    """The file with the weights of a shipped network."""
    return str(folder_of(name) / WEIGHTS)


def recipe_path(name: str) -> str:
    """The file with its recipe."""
    return str(folder_of(name) / RECIPE)


def is_network(name: Any) -> bool:
    """Whether a setting's value names a folder with a network: in models/, or by its path with weights and recipe."""
    if not isinstance(name, str) or not _is_path(name):
        return name in names()
    return Path(recipe_path(name)).is_file() and Path(weights_path(name)).is_file()


def called(name: str | Path) -> str:
    """How a network's folder is called in messages, models/NAME or its path; name: as settings have it, or a folder."""
    folder = folder_of(name) if isinstance(name, str) else name
    return f"models/{folder.name}" if folder.parent.resolve() == MODELS.resolve() else str(folder)


def same(one: str, other: str) -> bool:
    """Whether two settings name one network, be it by name or by path."""
    return folder_of(one).resolve() == folder_of(other).resolve()


def label_of(name: str) -> str:
    """What a network's images are called by: its folder's name, and the study's and target's of one that lies in one.

    All that a study releases lie in STUDY/generate/TARGET/released.
    """
    folder = Path(os.path.abspath(folder_of(name)))
    if folder.name != RELEASED:
        return folder.name
    return "-".join([*(part for part in folder.parts[-4:-1] if part not in ("/", "generate")), RELEASED])


def _is_path(name: str) -> bool:
    return os.sep in name


def recipe_of(name: str, key: str = "init_from") -> dict[str, Any]:
    """What stands in the recipe of a shipped network.

    Args:
        key: of the settings that name it, for messages.

    Raises:
        StudyError: there is no such network, or its recipe cannot be read.
    """
    if _is_path(name) and not is_network(name):
        raise StudyError(f"{key}: got {name!r}; that is no folder with {WEIGHTS} and {RECIPE}, as in models/NAME/")
    if not _is_path(name) and name not in names():
        hint = nearest(name, names(), "there are")
        raise StudyError(f"{key}: got {name!r}; models/ has no such folder{hint}")
    try:
        recipe = json.loads(Path(recipe_path(name)).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(f"{key}: {called(name)}/{RECIPE} cannot be read ({error})") from None
    if not isinstance(recipe, dict):
        raise StudyError(f"{key}: {called(name)}/{RECIPE} is no recipe: it holds no names and values")
    return recipe


PHANTOM = "phantom"
"""First word of the names of digital patients."""


def of_phantoms(recipe: Mapping[str, Any]) -> bool:
    """Whether a shipped network has learnt from digital chests only; its recipe names these `seed N: phantom-...`."""
    people = [patient for some in recipe.get("patients", {}).values() for patient in some]
    return bool(people) and all(f": {PHANTOM}-" in patient for patient in people)


def kinds_of(name: str) -> list[str]:
    """The kinds of generator in a shipped folder.

    Raises:
        StudyError: its recipe cannot be read, or names no kind.
    """
    blocks = recipe_of(name, "draw.network").get("generate", {})
    try:
        return sorted({block["kind"] for block in blocks.values()})
    except (AttributeError, KeyError, TypeError):
        raise StudyError(f"draw.network: {called(name)}/{RECIPE} names no kind of generator") from None
