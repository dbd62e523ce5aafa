"""All metrics of a set with one extractor: each against the reference that it asks for."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from lungsynth.features.apply import Embedding, embed
from lungsynth.features.extractor import Extractor
from lungsynth.score.metric import Metric
from lungsynth.score.plan import Subject
from lungsynth.score.record import Effort, Score, Source, measure
from lungsynth.score.registry import METRICS
from lungsynth.score.samples import Sample
from lungsynth.study.errors import DataError
from lungsynth.study.seeds import torch_seed

HELD_OUT = "held_out"
"""Images that no network has seen, scored as a set: what is said of copies among them holds of none."""


@dataclass(frozen=True)
class Embedded:
    """A set as an extractor sees it: its name, features and logits, and the patient of each image where it is real."""

    name: str
    embedding: Embedding
    patients: np.ndarray | None = None

    def sample(self, sees: str) -> Sample:
        """Features or logits with their units, as a metric's `sees` says."""
        return Sample.of(getattr(self.embedding, sees), self.patients)


def embedded(
    name: str,
    extractor: Extractor,
    images: np.ndarray,
    masks: np.ndarray | None = None,
    patients: np.ndarray | None = None,
) -> Embedded:
    """Images int16 HU [n, h, w] through an extractor."""
    return Embedded(name, embed(extractor, images, masks), patients)


def source_of(extractor: Extractor, sha256: str) -> Source:
    """What a score must say of its extractor."""
    card = extractor.card
    return Source(card.name, sha256, card.classes, card.dimensions, card.window_hu, card.resize)


def metrics_of(names: list[str], seed: int) -> list[Metric]:
    """Metrics by name with their default options; those that shuffle get a seed named after them."""
    found = []
    for name in names:
        kind = METRICS.get(name)
        shuffles = any(field.name == "seed" for field in fields(kind))
        found.append(kind(seed=torch_seed(seed, "score", name)) if shuffles else kind())
    return found


def score_set(
    metrics: list[Metric],
    fake: Embedded,
    test: Embedded,
    train: Embedded | None,
    source: Source,
    seed: int,
    effort: Effort,
    others: Embedded | None = None,
) -> list[Score]:
    """All metrics of a set.

    Args:
        metrics: what to measure; those about copies are left out where there is no `train`.
        fake: the set; a real set is scored like any other, for comparison.
        test: real images of test patients, the reference of most metrics and of all floors.
        train: the real images that the set's generator was trained on.
        source: the extractor that made all of them.
        seed: the study's.
        effort: draws and halves.
        others: real images of patients outside `test`, for floors at the set's own n; None: halves of `test`.
    """
    scores = []
    for metric in metrics:
        against = {"held_out": test, "none": test, "train": train, "both": train}[metric.reference]
        if against is None:
            continue
        scores.append(
            measure(
                metric,
                # The inception score looks at no reference; the name says which images its floor is made of.
                (fake.name, against.name),
                source,
                fake.sample(metric.sees),
                against.sample(metric.sees),
                test.sample(metric.sees),
                seed,
                effort,
                None if others is None else others.sample(metric.sees),
            )
        )
    return scores


def score_held_out(
    metrics: list[Metric], test: Embedded, train: Embedded, source: Source, seed: int, effort: Effort
) -> list[Score]:
    """Those metrics that are about copies, of images that no network has seen: the yardstick of these numbers."""
    about_copies = [one for one in metrics if one.reference == "train"]
    return score_set(about_copies, replace(test, name=HELD_OUT), test, train, source, seed, effort)


def score_subject(
    subject: Subject,
    seen: Callable[[str, str], Embedded],
    metrics: list[Metric],
    source: Source,
    seed: int,
    effort: Effort,
) -> tuple[list[Score], dict[str, Embedded], list[str]]:
    """All sets of one subject.

    Args:
        subject: what is scored against what.
        seen: name of a set and name of its file -> the set through the extractor.

    Returns:
        The scores, with those about copies of the reference itself, "held_out", as their yardstick; the sets, and the
        subject's reference under "reference", for comparisons; and a line for each set that has too few images, which
        is a result and no error.
    """
    test, train = seen(subject.reference, subject.reference), seen(subject.train, subject.train)
    sets, scores, refused = {"reference": test}, [], []
    for key, file in subject.sets.items():
        sets[key] = seen(key, file)
        # The training images are no copies of themselves: they are scored as a set, not as a source.
        learnt_from = None if key == "real" else train
        try:
            scores += score_set(metrics, sets[key], test, learnt_from, source, seed, effort, others=train)
        except DataError as error:
            refused.append(f"not scored, {error}")
    try:
        scores += score_held_out(metrics, test, train, source, seed, effort)
    except DataError as error:
        refused.append(f"not scored, {error}")
    return scores, sets, refused
