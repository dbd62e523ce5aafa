"""How an extractor is trained: to tell the banks' classes apart, and planted faults from none."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

import numpy as np
import torch
from torch.nn import functional

from lungsynth.ct.resample import RESIZE
from lungsynth.features.apply import embed, release
from lungsynth.features.classes import Task, task_of
from lungsynth.features.extractor import Card, Extractor
from lungsynth.features.faults import plant
from lungsynth.features.registry import EXTRACTORS
from lungsynth.sets.bank import ImageSet
from lungsynth.study.errors import TrainingError
from lungsynth.study.stages.banks import Features
from lungsynth.train.checkpoints import RunPlan
from lungsynth.train.data import Shape, Source, need
from lungsynth.train.loop import load, pick_device, run_checkpoint
from lungsynth.train.trainable import Update

EMPTY_BELOW_HU = -999.0
FAULTS_WINDOW_HU = 1400.0
"""Width of the window that the strengths of planted faults are stated for; in another one they change alike."""


class ExtractorTraining:
    """The training of one extractor, as the training loop wants it."""

    averaged = ("extractor",)

    def __init__(self, card: Card):
        self.card = card

    def build(self, shape: Shape, classes: int = 1, real: Any = None) -> dict[str, torch.nn.Module]:
        """One module: the extractor with its heads."""
        return {"extractor": Extractor(self.card)}

    def optimisers(self, modules: dict[str, torch.nn.Module]) -> dict[str, torch.optim.Optimizer]:
        """AdamW over all of it."""
        settings = modules["extractor"].network.settings
        return {
            "extractor": torch.optim.AdamW(
                modules["extractor"].parameters(), settings.learning_rate, weight_decay=settings.weight_decay
            )
        }

    def rate(self, step: int, steps: int) -> float:
        """Half a cosine from 1 to 0."""
        return 0.5 * (1 + math.cos(math.pi * step / steps))

    def step(
        self,
        modules: dict[str, torch.nn.Module],
        batches: Iterator[dict[str, torch.Tensor]],
        rng: torch.Generator,
        step: int,
    ) -> Iterator[Update]:
        """Cross entropy of the classes plus the squared error of the planted strengths."""
        extractor, batch = modules["extractor"], next(batches)
        settings = extractor.network.settings
        # A cut-out nodule stands in emptiness that no scanner would blur or shift.
        air = EMPTY_BELOW_HU if self.card.with_mask else None
        share = (self.card.window_hu[1] - self.card.window_hu[0]) / FAULTS_WINDOW_HU
        largest = (settings.blur_px, settings.shift_hu * share, settings.noise_hu * share)
        hu, strength = plant(batch["images"].float(), largest, air, rng)
        _, logits, guesses = extractor(hu, batch["masks"])
        classes = functional.cross_entropy(logits, batch["labels"], label_smoothing=0.05)
        faults = (guesses - strength).square().mean()
        loss = classes + settings.distortion_weight * faults
        right = (logits.argmax(1) == batch["labels"]).float().mean()
        yield Update("extractor", loss, {"classes": classes.detach(), "faults": faults.detach(), "accuracy": right})


def batches(
    images: np.ndarray, masks: np.ndarray, task: Task, size: int
) -> Callable[[np.random.Generator], dict[str, torch.Tensor]]:
    """A source of batches: classes drawn evenly (of those there are), images in them at random, half mirrored left
    to right.

    Args:
        images: int16 HU [n, h, w]; pictures: levels, [n, h, w] or [n, h, w, 3].
        masks: uint8 [n, h, w].
        task: the class of each; turned ones get their class with the turn that they are shown in.
        size: images a batch.

    Raises:
        TrainingError: fewer than two classes occur.
    """
    labels = task.of_row
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    if len(members) < 2 and not task.turned:
        raise TrainingError(f"an extractor needs images of two classes at least, there are {len(members)}")

    def draw(rng: np.random.Generator) -> dict[str, torch.Tensor]:
        rows = np.array([rng.choice(members[k]) for k in rng.integers(0, len(members), size)])
        mirrored = (rng.random(size) < 0.5) & task.mirrored
        shown = [_mirrored(one[rows], mirrored) for one in (images, masks)]
        classes = labels[rows]
        if task.turned:
            classes = rng.integers(0, len(task.classes), size)
            shown = [np.stack([np.rot90(*pair) for pair in zip(one, classes, strict=True)]) for one in shown]
        return {
            "images": _tensor(shown[0]),
            "masks": _tensor(shown[1]),
            "labels": torch.from_numpy(classes.astype(np.int64)),
        }

    return draw


def _mirrored(images: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Those of the images [n, h, w, ...] that `which` names from left to right."""
    return np.where(which.reshape(-1, *[1] * (images.ndim - 1)), images[:, :, ::-1], images)


def _tensor(array: np.ndarray) -> torch.Tensor:
    array = np.ascontiguousarray(array)
    return torch.from_numpy(array.astype(np.int32) if array.dtype == np.uint16 else array)


def standardise(extractor: Extractor, images: np.ndarray, masks: np.ndarray) -> Extractor:
    """Set the scale of the features so that those of the given (fit) images have mean 0 and sd 1 each; returns the
    extractor."""
    extractor.centre.zero_()
    extractor.scale.fill_(1)
    features = embed(extractor, images, masks).features
    extractor.centre.copy_(torch.from_numpy(features.mean(0)))
    extractor.scale.copy_(torch.from_numpy(features.std(0).clip(1e-6)))
    return extractor


def report(extractor: Extractor, images: np.ndarray, masks: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Share of right classes on the given images, over all and by class; for the card."""
    right = embed(extractor, images, masks).logits.argmax(1) == labels
    by_class = {
        name: {"n": int((labels == k).sum()), "accuracy": round(float(right[labels == k].mean()), 4)}
        for k, name in enumerate(extractor.card.classes)
        if (labels == k).any()
    }
    return {"accuracy": round(float(right.mean()), 4), "classes": by_class}


def card_of(
    name: str,
    settings: Features,
    window_hu: tuple[float, float],
    classes: tuple[str, ...],
    size_px: int,
    mm_per_px: float,
    channels: int = 1,
) -> Card:
    """What one must know to make an extractor; see `Card` and `train_extractor`."""
    return Card(
        name=name,
        kind=settings.kind,
        settings=EXTRACTORS.settings(settings.kind)(**settings.block()).model_dump(),
        classes=classes,
        dimensions=settings.dimensions,
        window_hu=tuple(window_hu),
        with_mask=name == "nodules",
        channels=channels if name == "pictures" else 0,
        size_px=size_px,
        mm_per_px=mm_per_px,
        resize=RESIZE,
    )


def train_extractor(
    name: str,
    bank: ImageSet,
    settings: Features,
    window_hu: tuple[float, float],
    plan: RunPlan,
    weights: Path,
    losses: Path,
    progress: TextIO | None = None,
) -> dict[str, Any]:
    """Train an extractor on a bank, standardise it on the same bank, and release it as NAME.safetensors and NAME.json.

    Args:
        name: "slices", "nodules" or "pictures"; decides the classes, and whether masks are looked at.
        bank: images of the fit patients.
        settings: the study's block.
        window_hu: HU that count.
        plan: of the run: its seed, length, batch, device.
        weights: the .safetensors file to write; losses: the .csv of the training.
        progress: where a bar goes.

    Returns:
        The recipe that stands in the .json.

    Raises:
        TrainingError: fewer images than a batch, or of one class only.
    """
    need(len(bank), plan.training.batch, f"{name} extractor")
    task = task_of(name, bank.table)
    card = card_of(name, settings, window_hu, task.classes, bank.images.shape[1], bank.mm_per_px, bank.channels)
    kind, labels = ExtractorTraining(card), task.of_row
    draw = batches(bank.images, bank.masks, task, plan.training.batch)
    data = Source(draw, Shape((card.channels or 1) + card.with_mask, card.size_px), len(task.classes))
    with TemporaryDirectory() as folder:
        state = Path(folder, "state-0.pt")
        run_checkpoint(kind, data, plan, None, state, state.with_suffix(".json"), losses, progress)
        extractor = load(kind, state, pick_device(plan.device))["extractor"]
    standardise(extractor, bank.images, bank.masks)
    recipe = {
        "seed": plan.seed,
        "steps": plan.steps,
        "batch": plan.training.batch,
        "images": len(bank),
        "patients": int(bank.table["patient"].nunique()),
        "fit": report(extractor, bank.images, bank.masks, labels),
    }
    release(weights, extractor, recipe)
    return recipe
