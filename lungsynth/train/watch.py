"""The loss monitor at work in one training."""

import math
from contextlib import suppress
from pathlib import Path

from lungsynth.study.errors import WriteError
from lungsynth.train.checkpoints import RunPlan
from lungsynth.train.losses import LossTable, write_slopes
from lungsynth.train.monitor import SHORT_RUN, LossMonitor, is_due
from lungsynth.train.trainable import Trainable


def watch_mode(kind: Trainable, mode: str) -> str:
    """What the monitor does for this kind: "none", "report" or "stop".

    "auto" stops trainings with BCE losses alone: the scale of the others is arbitrary, and the rule's bounds are not.
    """
    if getattr(kind, "monitored", None) is None:
        return "none"
    if mode != "auto":
        return mode
    return "stop" if getattr(kind, "loss_family", "supervised") == "bce" else "report"


class Watch:
    """Feeds the monitor with a training's points and says when to stop.

    Args:
        log: of the job; losses and slopes so far lie beside it while the training runs. None: nowhere.

    Attributes:
        stopped: the training is to end here.
        spoilt: what is wrong with its networks, where that is a result.
    """

    def __init__(self, kind: Trainable, plan: RunPlan, log: Path | None = None):
        self.mode, self.plan, self.stopped = watch_mode(kind, plan.monitor.mode), plan, False
        self.columns = tuple(f"loss_{name}" for name in getattr(kind, "monitored", None) or ())
        self.monitor, self.log, self.spoilt = LossMonitor(plan.monitor), log, ""

    def add(self, point: dict[str, float]) -> None:
        """Take in a point of the loss table."""
        if self.mode == "none":
            return
        self.monitor.add(*(point.get(name, math.nan) for name in self.columns))
        long_enough = self.plan.points >= SHORT_RUN
        self.stopped = self.mode == "stop" and long_enough and self.monitor.stop is not None

    def end(self, reason: str) -> None:
        """The networks are spoilt beyond use: end here, and say why."""
        self.spoilt, self.stopped = reason, True

    def show(self, losses: LossTable) -> None:
        """Write the tables beside the log, every `monitor.check` points; no training ends because that fails."""
        if self.log is None or not is_due(len(losses.rows) - 1, self.plan.monitor):
            return
        with suppress(WriteError):
            losses.write(self.log.with_name(f"{self.log.stem}-losses.csv"))
            if self.mode != "none":
                self.write_slopes(self.log.with_name(f"{self.log.stem}-slopes.csv"))

    def write_slopes(self, path: Path) -> None:
        """Write the table of slopes, with a row for the last point; the heading alone of a kind that is not watched."""
        looks = [] if self.mode == "none" else self.monitor.at_end()
        write_slopes(path, looks, self.plan.training.points_every)

    def verdict(self, finished: bool) -> str:
        """In words."""
        if self.spoilt:
            return self.spoilt
        return "not watched" if self.mode == "none" else self.monitor.verdict(self.plan.points, finished)

    def step_of(self, point: int | None) -> int | None:
        """Steps that were done at the end of a point; None where the point means nothing yet."""
        judged = point is not None and self.plan.points >= SHORT_RUN
        return (point + 1) * self.plan.training.points_every if judged else None
