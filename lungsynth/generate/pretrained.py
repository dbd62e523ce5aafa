"""Generators that ship, for use from Python:

from lungsynth.generate.pretrained import load
slices = load("ct_slices").sample(16, seed=1)
slices.images, slices.masks, slices.mm_per_px   # int16 HU, lungs (1 right, 2 left), pixel in mm
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from lungsynth.generate.generator import Generator
from lungsynth.generate.sample import as_nodules, as_slices, draw
from lungsynth.generate.trained import generator_of, load_all, shape_of
from lungsynth.sets.bank import ImageSet
from lungsynth.study import models
from lungsynth.study.errors import StudyError
from lungsynth.study.runs import Run

MARGIN_MM = 2


@dataclass(frozen=True)
class Pretrained:
    """A released generator with its weights, in eval mode.

    Attributes:
        name: of its folder; recipe: what stands in recipe.json.
    """

    name: str
    recipe: dict[str, Any]
    generator: Generator
    modules: dict[str, nn.Module]

    @property
    def target(self) -> str:
        """What it draws: nodules, or normals (whole slices)."""
        return next(iter(self.recipe["generate"]))

    def sample(self, n: int, seed: int = 0) -> ImageSet:
        """n new images with masks; image i is a function of the weights, the seed and i alone.

        Returns:
            int16 HU [n, h, w]; uint8 masks: the lungs (1 right, 2 left; all 0 where none are found), or the nodule.
            Rows name network, seed and index (`source`) and the SHA-256 of the weights (`weights`).
        """
        grid = self.recipe["grid"]
        window, pixel, source = tuple(grid["window_hu"]), grid["mm_per_px"], f"{self.name}:{seed}"
        drawn = draw(self.generator, self.modules, n, seed, f"pretrained/{self.name}")
        if self.target == "nodules":
            made = as_nodules(drawn, window, pixel, MARGIN_MM, source)
        else:
            made = as_slices(drawn, window, pixel, source)
        return ImageSet(made.images, made.masks, made.mm_per_px, made.table.assign(weights=self.recipe["sha256"]))


def load(name: str | Path, device: str = "cpu") -> Pretrained:
    """A generator of models/ by its name, or any folder with weights.safetensors and recipe.json.

    Raises:
        StudyError: no such folder, or it holds no generator.
        DataError: the weights are not those that the recipe states.
    """
    folder = Path(name) if Path(name).is_dir() else models.MODELS / name
    recipe = _recipe(folder, str(name))
    runs = [Run.model_validate(run) for run in recipe["training"]["runs"]]
    shape = shape_of(runs[0], recipe["grid"]["size_px"])
    modules = load_all(runs, [folder / models.WEIGHTS] * len(runs), shape, device)
    return Pretrained(folder.name, recipe, generator_of(runs), modules)


def _recipe(folder: Path, name: str) -> dict[str, Any]:
    if folder.parent == models.MODELS:
        recipe = models.recipe_of(folder.name, "load")
    elif (folder / models.RECIPE).is_file():
        recipe = json.loads((folder / models.RECIPE).read_text(encoding="utf-8"))
    else:
        raise StudyError(f"load: {name!r} has no {models.RECIPE}; models/ has {', '.join(models.names())}")
    if "generate" not in recipe:
        raise StudyError(f"load: {name!r} is no generator; its recipe speaks of {', '.join(sorted(recipe))}")
    return recipe
