"""What classifiers learn from and are tested on: images with classes, in equal numbers, as batches."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lungsynth.ct.window import channels_first, to_unit
from lungsynth.nets.shift import half_mirrored, shifted
from lungsynth.sets.bank import ImageSet
from lungsynth.sets.labels import Labelled, read
from lungsynth.study.errors import DataError, TrainingError
from lungsynth.study.seeds import rng as named_rng
from lungsynth.study.stages.generate import Labels
from lungsynth.study.stages.utility import Alter
from lungsynth.train.data import Shape, Source, need

KEY = "utility.classify.labels"
ASKED_FOR = "label"
"""Column of a generated set: the class that each image was asked for."""
LEAST = {"fit": 2, "generated": 2, "test": 1}
"""Images of each class that a set needs."""
WHAT = {"fit": "the fit bank", "generated": "the generated set", "test": "the test bank"}


@dataclass(frozen=True)
class Classed:
    """Images of known classes.

    Attributes:
        images: float32 [n, channels, size, size] in [-1, 1].
        labels: int64 [n].
        table: one row an image: id, and patient, which is empty for generated images.
    """

    images: Tensor
    labels: np.ndarray
    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> "Classed":
        """The images at `rows`, in that order."""
        return Classed(self.images[torch.from_numpy(rows)], self.labels[rows], self.table.iloc[rows])

    def counts(self, classes: int) -> np.ndarray:
        """Images of each class."""
        return np.bincount(self.labels, minlength=classes)


@dataclass(frozen=True)
class Sets:
    """Everything that a classifier may see: names of the classes, and images of fit patients, of a generator, of test
    patients."""

    names: Sequence[str]
    fit: Classed
    generated: Classed
    test: Classed


def sets_of(fit: ImageSet, generated: ImageSet, test: ImageSet, wanted: Labels, window_hu: tuple[float, float]) -> Sets:
    """The images that have a class, HU or grey levels in the window alone: masks would tell the size of a nodule.

    The fit bank says which classes there are. The class of a generated image is what the same column of its table says,
    measured as of a real one, or, where there is no such column, what it was asked for.

    Raises:
        DataError: no such column; a class that is missing in a set, or all of whose images have one grey level.
        TrainingError: the fit bank has one class only.
    """
    known = {"fit": read(fit.table, wanted, KEY, WHAT["fit"])}
    if (known["fit"].counts > 0).sum() < 2:
        raise TrainingError(f"{KEY}: all images of the fit bank are of one class; {known['fit'].words}; two are needed")
    names = known["fit"].names
    same = wanted if wanted.cuts else wanted.model_copy(update={"names": names})
    asked = same if same.column in generated.table else Labels(column=ASKED_FOR, names=names)
    if asked.column not in generated.table:
        raise DataError(
            f"{KEY}.column: the generated set has neither a column {same.column!r} nor {ASKED_FOR!r}; "
            "take a column that both have, or a generator that draws by class"
        )
    known["generated"] = read(generated.table, asked, KEY, WHAT["generated"])
    known["test"] = read(test.table, same, KEY, WHAT["test"])
    images = {"fit": fit, "generated": generated, "test": test}
    classed = {name: _classed(images[name], known[name], name, window_hu) for name in images}
    if len({one.images.shape[1:] for one in classed.values()}) > 1:
        shapes = ", ".join(f"{WHAT[name]} {list(one.images.shape[1:])}" for name, one in classed.items())
        raise DataError(f"images differ in channels or size: {shapes}; files of two studies are mixed")
    return Sets(names, **classed)


def _classed(images: ImageSet, known: Labelled, name: str, window_hu: tuple[float, float]) -> Classed:
    for label, count in zip(known.names, known.counts, strict=True):
        if count < LEAST[name]:
            raise DataError(
                f"{KEY}: the class {label!r} by {known.column} has {count} images in {WHAT[name]}, {LEAST[name]} are "
                f"needed; {known.words}"
            )
    rows = np.flatnonzero(known.of_row >= 0)
    unit, labels = channels_first(to_unit(images.images[rows], window_hu)), known.of_row[rows]
    flat = np.ptp(unit.reshape(len(unit), -1), axis=1) == 0
    for label, word in enumerate(known.names):
        if flat[labels == label].all():
            raise DataError(
                f"{WHAT[name]}: every image of the class {word!r} has one grey level throughout in the window "
                f"{list(window_hu)}; look at the files, or at the window"
            )
    table = pd.DataFrame({"id": images.table["id"].astype(str)})
    table["patient"] = "" if name == "generated" else images.table["patient"].astype(str)
    return Classed(torch.from_numpy(np.ascontiguousarray(unit)), labels, table.iloc[rows].reset_index(drop=True))


def equal(sets: Sets, seed: int, stream: str) -> Sets:
    """Fit and generated images cut to equal numbers: of each class as many as the set has that has fewer.

    Args:
        seed, stream: of the random choice; a function of both, so that every kind of classifier gets the same images.
    """
    counts = np.minimum(sets.fit.counts(len(sets.names)), sets.generated.counts(len(sets.names)))
    cut = {name: _some(getattr(sets, name), counts, seed, f"{stream}/{name}") for name in ("fit", "generated")}
    return replace(sets, **cut)


def as_tested(generated: Classed, test: Classed, classes: int, seed: int, stream: str) -> Classed:
    """Generated images in the classes' proportions among test images, and at most as many: what a classifier scores on
    both would otherwise differ by these."""
    there, wanted = generated.counts(classes), test.counts(classes)
    share = min(1, (there / wanted).min())
    counts = np.maximum(1, np.floor(share * wanted + 1e-9)).astype(int)
    return _some(generated, counts, seed, f"{stream}/tested")


def _some(one: Classed, counts: np.ndarray, seed: int, stream: str) -> Classed:
    """So many images of each class by a seeded draw, in the order of the set."""
    rows = [
        named_rng(seed, stream, label).permutation(np.flatnonzero(one.labels == label))[:count]
        for label, count in enumerate(counts)
    ]
    return one.take(np.sort(np.concatenate(rows)))


def learnt_from(sets: Sets, trained_on: str) -> Classed:
    """What a training sees of sets that are cut to equal numbers: `real`, `generated`, or `combined`, both, twice as
    many images."""
    if trained_on == "combined":
        images = torch.cat([sets.fit.images, sets.generated.images])
        labels = np.concatenate([sets.fit.labels, sets.generated.labels])
        return Classed(images, labels, pd.concat([sets.fit.table, sets.generated.table], ignore_index=True))
    return {"real": sets.fit, "generated": sets.generated}[trained_on]


def source(one: Classed, classes: int, size: int, alter: Alter) -> Source:
    """Images as a training's data. A batch is {"images", "labels"}: as many of each class, give or take one, of a class
    any with equal chance, altered.

    Args:
        size: images a batch.

    Raises:
        TrainingError: fewer images than a batch.
    """
    need(len(one), size, "a classifier's training set")
    members = [np.flatnonzero(one.labels == label) for label in range(classes)]

    def draw(rng: np.random.Generator) -> dict[str, Tensor]:
        labels = (np.arange(size) + rng.integers(classes)) % classes
        rows = np.array([rng.choice(members[label]) for label in labels])
        images = altered(one.images[torch.from_numpy(rows)], alter, rng)
        return {"images": images, "labels": torch.from_numpy(labels)}

    return Source(draw, Shape(*one.images.shape[1:3]), classes)


def altered(images: Tensor, alter: Alter, rng: np.random.Generator) -> Tensor:
    """Images [n, channels, h, w], each altered by its own draw."""
    if alter.shift_px:
        images = shifted(images, alter.shift_px, torch.Generator().manual_seed(int(rng.integers(2**62))))
    if alter.grey:
        grey = rng.normal(0, alter.grey, (len(images), 1, 1, 1)).astype(np.float32)
        images = images + torch.from_numpy(grey)
    if alter.mirror:
        images = half_mirrored(images, rng)
    return images
