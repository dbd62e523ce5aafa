"""The 2 x 2 table of a reader, its rates with exact intervals, and what a test of that size can tell.

Intervals are Clopper and Pearson's (1934): the proportions that neither tail of the binomial law refuses at half of
what the level leaves. They hold for every n, and are never too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import beta, binom

from lungsynth.utility.reader.blind import GENERATED, REAL

NAN = float("nan")
ASSUMED = (0.6, 0.7, 0.8)
"""True accuracies whose power is told."""
POWER = 0.8


@dataclass(frozen=True)
class Rate:
    """A proportion with its interval; NaN where nothing was counted."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Table:
    """Answers by truth; `positive` is the class that a reader is meant to find."""

    positive: str
    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @property
    def n(self) -> int:
        """Answers in all."""
        return self.true_positive + self.false_positive + self.false_negative + self.true_negative

    def of(self, truth: str, answer: str) -> int:
        """How many of a truth got an answer."""
        if truth == self.positive:
            return self.true_positive if answer == truth else self.false_negative
        return self.true_negative if answer == truth else self.false_positive

    def rates(self, level: float) -> dict[str, Rate]:
        """Accuracy, precision, recall (sensitivity), specificity and F1, each with its interval."""
        hit, wrong, missed, passed = self.true_positive, self.false_positive, self.false_negative, self.true_negative
        return {
            "accuracy": exact(hit + passed, self.n, level),
            "precision": exact(hit, hit + wrong, level),
            "recall": exact(hit, hit + missed, level),
            "specificity": exact(passed, passed + wrong, level),
            "f1": _f1(exact(hit, hit + wrong + missed, level)),
        }


def counted(truth: Sequence[str], answer: Sequence[str], positive: str) -> Table:
    """The 2 x 2 table of truths and answers, real or generated each."""
    truth, answer = np.asarray(truth), np.asarray(answer)
    negative = REAL if positive == GENERATED else GENERATED

    def both(one: str, other: str) -> int:
        return int(((truth == one) & (answer == other)).sum())

    return Table(
        positive,
        both(positive, positive),
        both(negative, positive),
        both(positive, negative),
        both(negative, negative),
    )


def exact(hits: int, n: int, level: float = 0.95) -> Rate:
    """hits / n with Clopper and Pearson's interval."""
    if not n:
        return Rate(NAN, NAN, NAN)
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, hits, n - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, n - hits)) if hits < n else 1.0
    return Rate(hits / n, low, high)


def _f1(shared: Rate) -> Rate:
    """F1 = 2 J / (1 + J), J = TP / (TP + FP + FN): J is a proportion, and its interval goes the same way."""
    return Rate(*(2 * value / (1 + value) for value in (shared.value, shared.low, shared.high)))


def least_right(n: int, level: float = 0.95) -> int:
    """The fewest right answers of n that guessing does not explain, by the exact two-sided test; n + 1: none do."""
    rights = np.arange(n + 1)
    refused = rights[(2 * binom.sf(rights - 1, n, 0.5) <= 1 - level) & (rights > n / 2)]
    return int(refused[0]) if len(refused) else n + 1


def power(n: int, accuracy: float, level: float = 0.95) -> float:
    """How often n answers of a reader with that true accuracy are told from guessing, on either side of it."""
    least = least_right(n, level)
    return float(binom.sf(least - 1, n, accuracy) + binom.cdf(n - least, n, accuracy))


def detectable(n: int, level: float = 0.95, wanted: float = POWER) -> float:
    """The true accuracy that n answers tell from guessing with the wanted power; NaN where none is."""
    if least_right(n, level) > n:
        return NAN
    return float(brentq(lambda accuracy: power(n, accuracy, level) - wanted, 0.5, 1.0))
