"""Scores: one number with all that went into it, and the table made of many."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lungsynth.score import floors
from lungsynth.score.intervals import OF_ONE_PATIENT
from lungsynth.score.metric import Metric, finite
from lungsynth.score.samples import Sample
from lungsynth.sets.tables import read_json, write_json
from lungsynth.study.errors import DataError
from lungsynth.study.seeds import rng

COLUMNS = ["set", "reference", "metric", "extractor", "value", "low", "high", "floor", "n_set", "n_reference", "note"]


@dataclass(frozen=True)
class Source:
    """What made the features: which extractor, and how its images were prepared.

    Attributes:
        extractor: its name.
        extractor_sha256: of its weights.
        classes: of its classifier.
        dimensions: of a feature vector.
        window_hu: HU that count.
        resize: the filter that brought images to its size.
    """

    extractor: str
    extractor_sha256: str
    classes: tuple[str, ...]
    dimensions: int
    window_hu: tuple[float, float]
    resize: str


@dataclass(frozen=True)
class Score:
    """One number.

    Attributes:
        set, reference: names of the scored set and of what it was held against ("" for none).
        metric: its name; `higher_is_better`, `least` and `greatest` are its card's.
        value, low, high: the number and its interval at `confidence`; `interval` says how that was made.
        floor: what real images score (see `floors`); None where there are too few.
        floor_sd, n_floor: sd over its random halves; images a side.
        value_at_n_floor: the set's own number at the floor's n, for metrics that depend on n.
        n_set, n_reference, patients_reference: images, images and patients.
        extractor ... resize: see `Source`.
        warnings: what makes the number doubtful, one clause each.
        seed: the study's.
    """

    set: str
    reference: str
    metric: str
    higher_is_better: bool | None
    least: float | None
    greatest: float | None
    value: float
    low: float | None
    high: float | None
    confidence: float
    interval: str
    floor: float | None
    floor_sd: float | None
    n_floor: int | None
    value_at_n_floor: float | None
    n_set: int
    n_reference: int
    patients_reference: int | None
    extractor: str
    extractor_sha256: str
    classes: tuple[str, ...]
    dimensions: int
    window_hu: tuple[float, float]
    resize: str
    warnings: tuple[str, ...]
    seed: int

    @property
    def note(self) -> str:
        """One cell for the table: the set at the floor's n, and the warnings."""
        parts = list(self.warnings)
        if self.value_at_n_floor is not None:
            parts.insert(0, f"floor at n = {self.n_floor}, where the set scores {self.value_at_n_floor:.4g}")
        return "; ".join(parts)


@dataclass(frozen=True)
class Effort:
    """How much is spent on certainty: resamples behind an interval, random halves behind a floor, and the
    confidence."""

    draws: int = 200
    halves: int = 10
    confidence: float = 0.95


def measure(
    metric: Metric,
    names: tuple[str, str],
    source: Source,
    fake: Sample,
    reference: Sample | None,
    held_out: Sample | None,
    seed: int,
    effort: Effort,
    others: Sample | None = None,
) -> Score:
    """A set's number with interval, floor and warnings.

    Args:
        metric: what to measure.
        names: (set, reference).
        source: the extractor that made all samples.
        fake: features of the set, or logits where `metric.sees` says so.
        reference: held-out or training images, as `metric.reference` says; real images for the inception score's floor.
        held_out: unseen real images, for metrics with reference "train" (floor) or "both".
        seed: the study's; the streams are named after set, reference, metric and extractor.
        effort: draws and halves.
        others: real images of patients outside the reference, for floors at the set's own n (see `floors`).

    Raises:
        DataError: fewer than 8 images on a side, or a reference is missing, or no number can be made of the features.
    """
    needed = [fake] + ([] if metric.reference == "none" else [reference])
    needed += [held_out] if metric.reference == "both" else []
    if any(side is None or len(side) < 8 for side in needed):
        sizes = [0 if side is None else len(side) for side in needed]
        raise DataError(f"{metric.name} of {names[0]} against {names[1]}: {sizes} images, 8 wanted on each side")
    stream = ("score", *names, metric.name, source.extractor)
    real = None if metric.reference == "none" else reference
    points = (None if side is None else side.points for side in (real, fake, held_out))
    stream_of = rng(seed, *stream, "interval")
    alone = real is not None and real.one_patient
    try:
        value = metric.value(*points)
        interval = (
            OF_ONE_PATIENT
            if alone
            else metric.interval(real, fake, held_out, stream_of, effort.draws, effort.confidence)
        )
        for bound in () if alone else (interval.low, interval.high):
            finite(bound)
        floor = floors.of_metric(metric, reference, fake, held_out, rng(seed, *stream, "floor"), effort.halves, others)
    except DataError as error:
        raise DataError(f"{metric.name} of {names[0]} against {names[1]}: {error}") from None
    warnings = [*metric.warnings(0 if real is None else len(real), len(fake), source.dimensions), *interval.notes]
    if floor is None:
        warnings.append("too few real images for a floor")
    return Score(
        set=names[0],
        reference=names[1],
        metric=metric.name,
        higher_is_better=metric.higher_is_better,
        least=finite_or_none(metric.least),
        greatest=finite_or_none(metric.greatest),
        value=value,
        low=finite_or_none(interval.low),
        high=finite_or_none(interval.high),
        confidence=effort.confidence,
        interval=interval.method,
        floor=floor and floor.value,
        floor_sd=floor and finite_or_none(floor.sd),
        n_floor=floor and floor.n,
        value_at_n_floor=floor and floor.value_at_n,
        n_set=len(fake),
        n_reference=0 if real is None else len(real),
        patients_reference=None if real is None or real.by_image else real.n_units,
        warnings=tuple(warnings + ([floor.note] if floor and floor.note else [])),
        seed=seed,
        **asdict(source),
    )


def finite_or_none(number: float) -> float | None:
    """JSON has no infinities, and no word for a bound that is not there."""
    return float(number) if np.isfinite(number) else None


def write(path: str | Path, scores: list[Score]) -> None:
    """Write the scores of one set as canonical JSON."""
    write_json(path, [asdict(score) for score in scores])


def read(path: str | Path) -> list[Score]:
    """Read what `write` wrote.

    Raises:
        DataError: no such file, or it holds something else.
    """
    values: list[dict[str, Any]] = read_json(path)
    tuples = ("classes", "window_hu", "warnings")
    try:
        return [Score(**value | {name: tuple(value[name]) for name in tuples}) for value in values]
    except (KeyError, TypeError) as error:
        raise DataError(f"{path}: no scores ({error})") from None
