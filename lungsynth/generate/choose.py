"""Which of a training's states draws: the last, the one at the monitor's stop, or the one nearest to tune images."""

from collections.abc import Sequence
from dataclasses import dataclass

from lungsynth.train.checkpoints import Verdict

IMAGES = 200
"""Images that are drawn from each state to be scored."""


@dataclass(frozen=True)
class Choice:
    """A state and why it was taken.

    Attributes:
        checkpoint: 0 and up; step: steps done at its end.
        kids: KID of each checkpoint's images to the tune bank, where it decided.
    """

    checkpoint: int
    step: int
    why: str
    kids: tuple[float, ...] | None = None


def by_slope(verdicts: Sequence[Verdict]) -> Choice:
    """The first state at or after the step at which the losses counted as stable (FACTS 5.5); else the last.

    Args:
        verdicts: of all checkpoints, in their order.
    """
    stop = verdicts[-1].stop_step
    if stop is None:
        why = f"the last: the monitor says {verdicts[-1].verdict!r}"
        return Choice(len(verdicts) - 1, verdicts[-1].step, why)
    found = next(k for k, verdict in enumerate(verdicts) if verdict.step >= stop)
    return Choice(found, verdicts[found].step, f"the first at or after step {stop}, where the losses were stable")


def by_kid(verdicts: Sequence[Verdict], kids: Sequence[float]) -> Choice:
    """The state whose images have the least KID to the tune bank, the earlier of equal ones."""
    found = min(range(len(kids)), key=kids.__getitem__)
    why = f"the least KID of {IMAGES} images to the tune bank"
    return Choice(found, verdicts[found].step, why, tuple(round(kid, 6) for kid in kids))
