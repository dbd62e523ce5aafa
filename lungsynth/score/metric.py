"""What every metric is: a card (name, direction, range), a value, an interval and its warnings."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import numpy as np

from lungsynth.score.intervals import Interval, groups_of, jackknife_interval, notes_of
from lungsynth.score.samples import Sample
from lungsynth.study.errors import DataError

MOST_GROUPS = 20


class Metric(ABC):
    """Base of the metrics. `real` and `fake` are features (or logits) float64 [n, d], one row an image.

    Attributes:
        name: name of the file and of the number in the tables.
        sees: whether it is fed an extractor's features or its classifier's logits.
        reference: what `real` must be: "held_out" patients, the "train" images of the generator, "both" (train as
            `real` and held-out images as `held_out`), or "none".
        higher_is_better: direction; None where the best value lies inside the range.
        least, greatest: range of the value.
    """

    name: ClassVar[str]
    sees: ClassVar[Literal["features", "logits"]] = "features"
    reference: ClassVar[Literal["held_out", "train", "both", "none"]] = "held_out"
    higher_is_better: ClassVar[bool | None]
    least: ClassVar[float]
    greatest: ClassVar[float]

    @abstractmethod
    def value(self, real: np.ndarray, fake: np.ndarray, held_out: np.ndarray | None = None) -> float:
        """The number.

        Raises:
            DataError: a feature or the number itself is not finite (`check_points`, `finite`), or images are too few.
        """

    @abstractmethod
    def interval(
        self,
        real: Sample,
        fake: Sample,
        held_out: Sample | None,
        rng: np.random.Generator,
        draws: int = 200,
        level: float = 0.95,
    ) -> Interval:
        """Its interval under drawing the patients of `real` and the images of `fake` again."""

    def warnings(self, n_real: int, n_fake: int, d: int) -> list[str]:
        """One clause for each count that is too small to trust the value (FACTS 8.3)."""
        return []


class MeanMetric(Metric):
    """A metric that is the mean of one number an image (of the fakes or of the reals), found among nearest
    neighbours."""

    @abstractmethod
    def contributions(self, real: np.ndarray, fake: np.ndarray, held_out: np.ndarray | None = None) -> np.ndarray:
        """float64 [n]: each image's part; the value is their mean."""

    def value(self, real: np.ndarray, fake: np.ndarray, held_out: np.ndarray | None = None) -> float:
        """Mean of the contributions."""
        check_points(1, real=real, generated=fake, unseen=held_out)
        return finite(float(self.contributions(real, fake, held_out).mean()))

    def interval(
        self,
        real: Sample,
        fake: Sample,
        held_out: Sample | None,
        rng: np.random.Generator,
        draws: int = 200,
        level: float = 0.95,
    ) -> Interval:
        """Jackknife that leaves out one patient of `real`, then one of 20 groups of images of `fake`.

        Not a bootstrap: an image drawn twice would be its own nearest neighbour.
        """
        unseen = None if held_out is None else held_out.points
        sides = []
        for one, is_real in ((real, True), (fake, False)):
            groups = groups_of(one, MOST_GROUPS, rng)
            rest = [one.points[groups != group] for group in range(groups.max() + 1)]
            values = [
                self.value(part, fake.points, unseen) if is_real else self.value(real.points, part, unseen)
                for part in rest
            ]
            sides.append(np.array(values))
        value = self.value(real.points, fake.points, unseen)
        low, high = jackknife_interval(value, *sides, level, self.least, self.greatest)
        return Interval(low, high, "jackknife by patient and by groups of images", notes_of(real))


def check_points(least: int, **sides: np.ndarray | None) -> None:
    """Refuse features or logits that no number can be made of: comparisons with NaN are false, which some metrics
    would take for the best there is.

    Args:
        least: images that each side needs.
        sides: [n, d] by the name that the message calls them; None is passed over.

    Raises:
        DataError: too few images, or a value that is not finite.
    """
    for name, points in sides.items():
        if points is None:
            continue
        if len(points) < least:
            raise DataError(f"{len(points)} {name} images, at least {least} wanted")
        wrong = ~np.isfinite(points).all(axis=1)
        if wrong.any():
            raise DataError(
                f"the features of {int(wrong.sum())} of {len(points)} {name} images are no finite numbers, "
                f"the first of row {int(wrong.argmax())}"
            )


def finite(number: float) -> float:
    """The number, if it is one.

    Raises:
        DataError: it is NaN or infinite, as features too large to be squared make it.
    """
    if not np.isfinite(number):
        raise DataError(f"comes out as {number}: the features are too large to compute with")
    return number


def too_few(what: str, n: int, least: int) -> list[str]:
    """`["fid: 40 real images, 500 wanted"]`, or nothing where n is enough."""
    return [] if n >= least else [f"{n} {what}, {least} wanted"]
