"""A run's checkpoints: their bounds, their verdicts, and handing a stopped run on. No torch is imported here."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lungsynth.ct.files import whole, write_text
from lungsynth.study.errors import TrainingError
from lungsynth.study.stages.generate import Monitor
from lungsynth.study.training import Training


@dataclass(frozen=True)
class RunPlan:
    """What the loop must know of a run, and which of its checkpoints is meant.

    Attributes:
        name: of the run; its random numbers are named by it ("generate/nodules/w_capsule-2023").
        seed: the run's.
        training: how long it is, in how many checkpoints, how it is computed.
        checkpoint: which one, 0 and up.
        device: "auto" (cuda where there is one), "cpu" or "cuda".
        monitor: the loss monitor's settings.
        start: weights that the first checkpoint starts from; None: fresh ones.
        part: what stands before the names of this run's networks there, see `weights.part`.
        tolerant: networks that spoil end the run with a verdict, and not with an error.
    """

    name: str
    seed: int
    training: Training
    checkpoint: int = 0
    device: str = "auto"
    monitor: Monitor = field(default_factory=lambda: Monitor(mode="none"))
    start: Path | None = None
    part: str = ""
    tolerant: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.checkpoint < self.training.checkpoints <= self.steps:
            raise ValueError(f"no checkpoint {self.checkpoint} of {self.training.checkpoints} in {self.steps} steps")

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.training.steps

    @property
    def first(self) -> int:
        """The checkpoint's first step."""
        return self.steps * self.checkpoint // self.training.checkpoints

    @property
    def end(self) -> int:
        """The step after its last."""
        return self.steps * (self.checkpoint + 1) // self.training.checkpoints

    @property
    def points(self) -> int:
        """Points of the whole loss table."""
        return self.steps // self.training.points_every


@dataclass(frozen=True)
class Verdict:
    """What stands beside a state: how far it is, what the monitor says, and on what it was made.

    Attributes:
        step: steps done; steps: planned in all.
        mode: "none", "report" or "stop"; verdict: in words.
        stopped: the monitor ended the run; later checkpoints hand this state on.
        stop_step: steps done when the losses counted as stable; diverged_step: when they climbed again after that.
        window_point: first point of the monitor's window.
        monitored: the losses that it looks at, the generator's g and the discriminator's d; none where not watched.
        spread: of a fixed batch of a generator, over that of real images; None where nothing is drawn.
        collapsed: the spread is under `monitor.collapse`.
        device: what it ran on; bitwise: whether a second run gives the same bytes.
        spoilt: the networks are of no use, where that is a result; `verdict` says what is wrong.
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
    monitored: Sequence[str]
    spread: float | None
    collapsed: bool
    device: str
    bitwise: bool
    spoilt: bool = False


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
        raise TrainingError(f"{path}: no verdict of a training ({error}); remove it and run again") from None


def verdict_path(state: Path) -> Path:
    """The verdict beside a state: state-3.pt -> state-3.json."""
    return state.with_suffix(".json")


def log_path(state: Path) -> Path:
    """The loss table beside a state: state-3.pt -> losses-3.csv."""
    return state.with_name(f"losses-{state.stem.rpartition('-')[2]}.csv")


def slopes_path(state: Path) -> Path:
    """The table of slopes beside a state: state-3.pt -> slopes-3.csv."""
    return state.with_name(f"slopes-{state.stem.rpartition('-')[2]}.csv")


def hand_on(
    previous: Path, out_state: Path, out_verdict: Path, out_log: Path, out_slopes: Path | None = None
) -> Verdict | None:
    """Copy a stopped run's state, verdict, losses and slopes to the next checkpoint's names.

    Args:
        previous: the checkpoint before; its verdict, losses and slopes lie beside it.

    Returns:
        The verdict, or None (and nothing is written) where the training goes on.
    """
    verdict = read_verdict(verdict_path(Path(previous)))
    if not verdict.stopped:
        return None
    pairs = [(log_path(Path(previous)), out_log), (verdict_path(Path(previous)), out_verdict), (previous, out_state)]
    if out_slopes is not None:
        pairs.insert(0, (slopes_path(Path(previous)), out_slopes))
    for source, target in pairs:
        with whole(target) as draft:
            shutil.copyfile(source, draft)
    return verdict
