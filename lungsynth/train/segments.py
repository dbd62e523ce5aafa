"""A training's segments: their bounds, their verdicts, and handing a stopped training on. No torch is imported here."""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from lungsynth.ct.files import whole, write_text
from lungsynth.study.errors import TrainingError
from lungsynth.study.stages import Monitor


@dataclass(frozen=True)
class SegmentPlan:
    """What the loop must know of a training, and which of its segments is meant.

    Attributes:
        name: of the training; its random numbers are named by it ("generate/nodules").
        seed: the study's.
        steps: in all; segments: how many pieces; segment: which one, 0 and up.
        points_every: steps that are averaged into one point of the loss table and the monitor.
        threads: of torch.
        device: "auto" (cuda where there is one), "cpu" or "cuda".
        monitor: the loss monitor's settings.
        precision: "bfloat16" runs the forward passes in mixed precision.
    """

    name: str
    seed: int
    steps: int
    segments: int = 1
    segment: int = 0
    points_every: int = 5
    threads: int = 1
    device: str = "auto"
    monitor: Monitor = field(default_factory=lambda: Monitor(mode="none"))
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        if not 0 <= self.segment < self.segments <= self.steps:
            raise ValueError(f"no segment {self.segment} of {self.segments} in {self.steps} steps")

    @property
    def first(self) -> int:
        """First step of the segment."""
        return self.steps * self.segment // self.segments

    @property
    def end(self) -> int:
        """The step after its last."""
        return self.steps * (self.segment + 1) // self.segments

    @property
    def points(self) -> int:
        """Points of the whole loss table."""
        return self.steps // self.points_every


@dataclass(frozen=True)
class Verdict:
    """What stands beside a state: how far it is, what the monitor says, and on what it was made.

    Attributes:
        step: steps done; steps: planned in all.
        mode: "none", "report" or "stop"; verdict: in words.
        stopped: the monitor ended the training; later segments hand this state on.
        stop_step: steps done when the losses counted as stable; diverged_step: when they climbed again after that.
        window_point: first point of the monitor's window.
        device: what it ran on; bitwise: whether a second run gives the same bytes.
    """

    name: str
    step: int
    steps: int
    points: int
    mode: str
    verdict: str
    stopped: bool
    stop_step: int | None
    diverged_step: int | None
    window_point: int | None
    device: str
    bitwise: bool


def write_verdict(path: Path, verdict: Verdict) -> None:
    """Write a verdict as canonical JSON."""
    write_text(path, json.dumps(asdict(verdict), indent=2, sort_keys=True) + "\n")


def read_verdict(path: Path) -> Verdict:
    """Read what `write_verdict` wrote.

    Raises:
        TrainingError: missing or damaged.
    """
    try:
        return Verdict(**json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(f"{path}: no verdict of a training segment ({error}); remove it and run again") from None


def verdict_path(state: Path) -> Path:
    """The verdict beside a state: state-3.pt -> state-3.json."""
    return state.with_suffix(".json")


def log_path(state: Path) -> Path:
    """The loss table beside a state: state-3.pt -> losses-3.csv."""
    return state.with_name(f"losses-{state.stem.rpartition('-')[2]}.csv")


def hand_on(previous: Path, out_state: Path, out_verdict: Path, out_log: Path) -> Verdict | None:
    """Copy a stopped training's state, verdict and losses to the next segment's names.

    Args:
        previous: state of the segment before; its verdict and losses lie beside it.

    Returns:
        The verdict, or None (and nothing is written) where the training goes on.
    """
    verdict = read_verdict(verdict_path(Path(previous)))
    if not verdict.stopped:
        return None
    pairs = ((log_path(Path(previous)), out_log), (verdict_path(Path(previous)), out_verdict), (previous, out_state))
    for source, target in pairs:
        with whole(target) as draft:
            shutil.copyfile(source, draft)
    return verdict
