"""One classifier, from the sets to what it says of the test images."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

import numpy as np
import pandas as pd
import torch
from torch import nn

from lungsynth.study.evaluation import trained_on
from lungsynth.study.runs import Run
from lungsynth.study.stages.utility import Alter
from lungsynth.train.checkpoints import RunPlan
from lungsynth.train.loop import load, pick_device, run_checkpoint
from lungsynth.utility.classify.classifier import Classifier, make_kind
from lungsynth.utility.classify.data import Classed, Sets, as_tested, equal, learnt_from, source

AT_ONCE = 64
"""Images that go through a network together."""


def train_classifier(
    run: Run, sets: Sets, alter: Alter, device: str, losses: Path, progress: TextIO | None = None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Train one classifier, and test it.

    Trainings of one kind and seed start from the same weights and take the same draws, whatever they learn from.

    Args:
        run: its kind, seed and length; the last part of its label says what it learns from.
        sets: all images that have a class.
        losses: the .csv of the training; progress: where a bar goes.

    Returns:
        What `predictions` gives, of the test images, and where it has learnt from real ones of generated images too, as
        many and in the same proportions; and facts: names of the classes, images of each that it has learnt from, and
        parameters.

    Raises:
        TrainingError: fewer images than a batch, or a loss that is not finite.
    """
    stream = f"{run.stage}/{run.target}"
    cut = equal(sets, run.seed, f"{stream}/cut")
    learnt, classes = learnt_from(cut, trained_on(run)), len(sets.names)
    kind, data = make_kind(run.kind, run.settings), source(learnt, classes, run.training.batch, alter)
    plan = RunPlan(f"{stream}/{run.kind}", run.seed, run.training, device=device)
    with TemporaryDirectory() as folder:
        state = Path(folder, "state-0.pt")
        run_checkpoint(kind, data, plan, None, state, state.with_suffix(".json"), losses, progress)
        modules = load(kind, state, pick_device(device))
    tested = {"test": sets.test}
    if trained_on(run) == "real":
        tested["generated"] = as_tested(sets.generated, sets.test, classes, run.seed, f"{stream}/cut")
    said = [predictions(kind, modules, one, sets.names).assign(set=name) for name, one in tested.items()]
    facts = {
        "kind": run.kind,
        "trained_on": trained_on(run),
        "seed": run.seed,
        "classes": list(sets.names),
        "learnt": dict(zip(sets.names, learnt.counts(classes).tolist(), strict=True)),
        "parameters": sum(part.numel() for module in modules.values() for part in module.parameters()),
    }
    return pd.concat(said, ignore_index=True), facts


def predictions(kind: Classifier, modules: dict[str, nn.Module], one: Classed, names: list[str]) -> pd.DataFrame:
    """One row an image: id, patient, truth, predicted (the likeliest class), and `probability NAME` of every class."""
    device = next(part for module in modules.values() for part in module.parameters()).device
    with torch.no_grad():
        parts = [kind.logits(modules, part.to(device)).softmax(1).cpu() for part in one.images.split(AT_ONCE)]
    probabilities = torch.cat(parts).double().numpy()
    words = np.array(names, object)
    table = one.table.assign(truth=words[one.labels], predicted=words[probabilities.argmax(1)])
    return table.assign(**{f"probability {name}": probabilities[:, k] for k, name in enumerate(names)})
