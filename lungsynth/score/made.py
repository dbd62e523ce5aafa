"""All scores of what one generator draws, against images that it has not seen and those that it learnt from."""

from dataclasses import asdict, dataclass
from typing import Any

from lungsynth.features.extractor import Extractor
from lungsynth.score.anatomy.sets import of_images
from lungsynth.score.anatomy.table import MEAN_SHARE, REAL, rows
from lungsynth.score.record import Effort, Score, finite_or_none
from lungsynth.score.samples import patients_of
from lungsynth.score.scorer import HELD_OUT, Embedded, embedded, metrics_of, score_held_out, score_set, source_of
from lungsynth.sets.bank import ImageSet
from lungsynth.study.seeds import rng

MADE, UNSEEN, LEARNT = "generated", HELD_OUT, "learnt_from"
IN_RANGE = "in_range"
"""The share of measures of anatomy that lie where those of real CT do, as a score beside the others."""


@dataclass(frozen=True)
class How:
    """How a set is scored.

    Attributes:
        extractor: and the sha256 of its weights, as `features.apply.read` gives them.
        metrics: names; seed: the study's; effort: draws and halves.
    """

    extractor: tuple[Extractor, str]
    metrics: list[str]
    seed: int
    effort: Effort


def score_made(made: ImageSet, unseen: ImageSet, learnt: ImageSet, how: How) -> list[Score]:
    """All metrics of what a generator draws, "generated", and of `unseen`, "held_out", those about copies.

    The latter are what images score that no network has seen: the yardstick of every number about copies.

    Args:
        made: drawn images; unseen: real ones of others, the reference; learnt: those that it learnt from.
    """
    rest = source_of(*how.extractor), how.seed, how.effort
    metrics = metrics_of(how.metrics, how.seed)

    def seen(name: str, one: ImageSet) -> Embedded:
        return embedded(name, how.extractor[0], one.images, one.masks, patients_of(one.table))

    fake, test, train = seen(MADE, made), seen(UNSEEN, unseen), seen(LEARNT, learnt)
    return score_set(metrics, fake, test, train, *rest, others=train) + score_held_out(metrics, test, train, *rest)


def scores_of_made(
    made: ImageSet, unseen: ImageSet, learnt: ImageSet, how: How, slices: int = 0
) -> list[dict[str, Any]]:
    """`score_made` as plain values, and `share_in_range` of so many `slices` where they are some."""
    scores = [asdict(one) for one in score_made(made, unseen, learnt, how)]
    return scores + ([share_in_range(made, unseen, slices, how)] if slices else [])


def share_in_range(made: ImageSet, unseen: ImageSet, most: int, how: How) -> dict[str, Any]:
    """The share of the measures of slices in the range of real CT (FACTS 12), with that of `unseen` as its floor.

    Args:
        made, unseen: slices, of which `most` each are measured: a seeded sample.

    Returns:
        Plain values, by the names of a score; None where nothing can be measured, as no slice shows lungs.
    """
    sets = {MADE: made, REAL[-1]: unseen}
    slices = {name: of_images(one, most, rng(how.seed, "score", IN_RANGE)) for name, one in sets.items()}
    table = rows(slices, rng(how.seed, "score", IN_RANGE, "intervals"), how.effort.draws, how.effort.confidence)
    means = table[table["measure"] == MEAN_SHARE].set_index("set")
    return {
        "set": MADE,
        "metric": IN_RANGE,
        "value": finite_or_none(means.at[MADE, "share"]),
        "low": finite_or_none(means.at[MADE, "share_low"]),
        "high": finite_or_none(means.at[MADE, "share_high"]),
        "floor": finite_or_none(means.at[REAL[-1], "share"]),
        "n_set": len(slices[MADE].values),
        "n_reference": len(slices[REAL[-1]].values),
        "warnings": [],
    }
