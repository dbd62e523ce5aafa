"""Generators that ship, for use from Python:

from lungsynth.generate.pretrained import load
slices = load("ct_slices").sample(16, seed=1)
slices.images, slices.masks, slices.mm_per_px   # int16 HU, lungs (1 right, 2 left), pixel in mm

One that knows classes draws in the real proportions, or one class by its name: `sample(16, seed=1, label="solid")`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from lungsynth.generate.generator import Generator
from lungsynth.generate.sample import as_set, draw
from lungsynth.generate.trained import generator_of, load_all, shape_of
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.labels import Classes
from lungsynth.study import models
from lungsynth.study.errors import StudyError
from lungsynth.study.runs import Run

MARGIN_MM = 2


@dataclass(frozen=True)
class Pretrained:
    """A released generator with its weights, in eval mode.

    Attributes:
        name: of its folder; recipe: what stands in recipe.json.
        card: where its card lies, as messages call it; None where it has none.
        drawing: what draws, with its networks: one for all, or one for each class in the order of `classes`.
    """

    name: str
    recipe: dict[str, Any]
    card: str | None
    drawing: Sequence[tuple[Generator, dict[str, nn.Module]]]

    @property
    def target(self) -> str:
        """What it draws: nodules, normals (whole slices), or pictures."""
        return next(iter(self.recipe["generate"]))

    @property
    def classes(self) -> Classes | None:
        """What it draws by, told to one generator or with one each; None where it has learnt without classes."""
        return Classes(**self.recipe["classes"]) if "classes" in self.recipe else None

    def sample(self, n: int, seed: int = 0, label: str | None = None) -> ImageSet:
        """n new images with masks; image i is a function of the weights, the seed, its class and i alone.

        Args:
            label: class of all of them, by its name; None: classes in the proportions of the real images.

        Raises:
            StudyError: it has no such class, or none.

        Returns:
            int16 HU [n, h, w]; uint8 masks: the lungs (1 right, 2 left; all 0 where none are found), or the nodule.
            Of pictures grey levels, uint8 or uint16 [n, h, w], or uint8 [n, h, w, 3] in colour, and no masks (all 0).
            Rows name network, seed and index (`source`), the SHA-256 of the weights (`weights`) and, where there are
            classes, that of the image (`label`).
        """
        stream = f"pretrained/{self.name}"
        labels = self._labels(n, seed, label, stream)
        drawn = self._draw(n, seed, stream, labels)
        made = as_set(self.target, drawn, self.recipe["grid"], MARGIN_MM, f"{self.name}:{seed}")
        made = made if labels is None else self.classes.marked(made, labels)
        return replace(made, table=made.table.assign(weights=self.recipe["sha256"]))

    def _draw(self, n: int, seed: int, stream: str, labels: np.ndarray | None) -> np.ndarray:
        """Images float32 [n, c, h, w] in [-1, 1], each by the generator of its class where there are several."""
        if len(self.drawing) == 1:
            told = labels if "labels" in self.recipe["generate"][self.target] else None
            return draw(*self.drawing[0], n, seed, stream, told)
        places = [np.flatnonzero(labels == k) for k in range(len(self.drawing))]
        parts = [draw(*one, at, seed, stream) for one, at in zip(self.drawing, places, strict=True) if len(at)]
        return np.concatenate(parts)[np.argsort(np.concatenate(places))]

    def _labels(self, n: int, seed: int, label: str | None, stream: str) -> np.ndarray | None:
        """The class int64 [n] of each image; None where there are none."""
        if self.classes is None and label is not None:
            raise StudyError(f"label: got {label!r}; {self.name} has learnt without classes")
        if self.classes is None:
            return None
        return self.classes.draw(n, seed, stream) if label is None else self.classes.all_of(n, label)


def load(name: str | Path, device: str = "cpu") -> Pretrained:
    """A generator of models/ by its name, or any folder with weights.safetensors and recipe.json by its path.

    A string without a separator is a name, as in settings.

    Raises:
        StudyError: no such folder, or it holds no generator.
        DataError: the weights are not those that the recipe states.
    """
    where = name if isinstance(name, str) else str(name.absolute())
    folder, recipe = models.folder_of(where), models.recipe_of(where, "load")
    if "generate" not in recipe:
        raise StudyError(f"load: {name!r} is no generator; its recipe speaks of {', '.join(sorted(recipe))}")
    runs = [Run.model_validate(run) for run in recipe["training"]["runs"]]
    grid, told = recipe["grid"], next(iter(recipe["generate"].values()))
    shape = shape_of(runs[0], grid["size_px"], grid.get("channels", 1))
    classes = len(recipe["classes"]["names"]) if "labels" in told else 1
    own = [[run] for run in runs] if "parts" in recipe else [runs]
    drawing = [
        (generator_of(some), load_all(some, [folder / models.WEIGHTS] * len(some), shape, device, classes))
        for some in own
    ]
    card = f"{models.called(folder)}/{models.CARD}" if (folder / models.CARD).is_file() else None
    return Pretrained(models.label_of(where), recipe, card, drawing)
