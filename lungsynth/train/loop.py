"""The training loop of every network: read the checkpoint before, take this one's steps, write its state."""

import math
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import torch
from torch import nn
from tqdm import tqdm

from lungsynth.study.errors import TrainingError
from lungsynth.study.seeds import rng as named_rng
from lungsynth.study.seeds import torch_seed
from lungsynth.train.ahead import Ahead
from lungsynth.train.checkpoints import RunPlan, Verdict, hand_on, write_verdict
from lungsynth.train.data import Source
from lungsynth.train.state import TrainingState, load, read_state, start_from, write_state
from lungsynth.train.trainable import Trainable
from lungsynth.train.watch import Watch

__all__ = ["load", "pick_device", "run_checkpoint"]

CHECKED_FROM = 100
"""Steps of a training from which its kind is asked whether the networks are spoilt."""


def run_checkpoint(
    kind: Trainable,
    data: Source,
    plan: RunPlan,
    previous: Path | None,
    out_state: Path,
    out_verdict: Path,
    out_log: Path,
    progress: TextIO | None = None,
    out_slopes: Path | None = None,
    log: Path | None = None,
    spread: Callable[[dict[str, nn.Module]], float] | None = None,
) -> Verdict:
    """Train one checkpoint. On the CPU its files are a function of kind, data, plan and the state before.

    Args:
        kind: what is trained, see `Trainable`.
        data: its batches.
        plan: the run and the checkpoint that is meant.
        previous: state of the checkpoint before, its verdict and losses beside it; None for the first.
        out_state, out_verdict, out_log: what is written, whole or not at all; the log holds all points so far.
        progress: where a bar and a summary line go.
        out_slopes: what the monitor saw, look by look; None: not written.
        log: of the job; while it trains, losses and slopes so far lie beside it. No result depends on them.
        spread: measures how different the images are that networks draw, in eval mode and with averages in place of
            the weights they follow; None: it is not measured.

    Raises:
        TrainingError: a loss is not finite, the networks have collapsed, the state before does not fit.
    """
    if (previous is None) != (plan.checkpoint == 0):
        raise ValueError(f"checkpoint {plan.checkpoint} was given the state {previous}")
    if previous is not None and (verdict := hand_on(previous, out_state, out_verdict, out_log, out_slopes)):
        _say(progress, f"{plan.name}: stopped at step {verdict.step}; the state is handed on")
        return verdict
    device = pick_device(plan.device)
    with _surroundings(plan, device):
        training = _start(kind, data, plan, previous, device)
        watch = Watch(kind, plan, log)
        for point in training.losses.rows:
            watch.add(point)
        _take_steps(kind, data, training, watch, device, previous, progress)
        _check(kind, training, watch)
        write_state(out_state, training.state_dict())
        # After the state is written, so that no measure can leave a trace in it.
        measured = None if spread is None or watch.spoilt else spread(_in_use(training))
        verdict = _verdict(training, watch, device, measured)
        training.losses.write(out_log)
        if out_slopes is not None:
            watch.write_slopes(out_slopes)
        write_verdict(out_verdict, verdict)
    _say(progress, _summary(training, verdict))
    return verdict


def pick_device(wanted: str) -> torch.device:
    """The device for "auto" (cuda where there is one), "cpu" or "cuda".

    Raises:
        TrainingError: cuda is wanted and there is none.
    """
    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise TrainingError("device is cuda, but torch finds no CUDA device; set device to cpu or auto")
    return torch.device("cuda" if there and wanted != "cpu" else "cpu")


@contextmanager
def _surroundings(plan: RunPlan, device: torch.device) -> Iterator[None]:
    """Threads, determinism and torch's own random numbers; all put back at the end."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        warnings.warn("on CUDA a second run may differ in the last bits", stacklevel=3)
    elif plan.training.precision == "bfloat16" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        # Measured on one without AVX-512: 7 times.
        warnings.warn("bfloat16 is slower than float32 on this processor, by several times", stacklevel=3)
    torch.set_num_threads(plan.training.threads)
    torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.set_num_threads(threads)


def _start(kind: Trainable, data: Source, plan: RunPlan, previous: Path | None, device: torch.device) -> TrainingState:
    """Fresh networks, with the weights to start from or the state of the checkpoint before where there is one."""
    torch.manual_seed(torch_seed(plan.seed, plan.name, "weights"))
    training = TrainingState(kind, data, plan, device)
    if previous is None and plan.start is not None:
        start_from(training, plan.start, plan.part)
    if previous is not None:
        try:
            training.load_state_dict(read_state(previous, device))
        except (RuntimeError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise TrainingError(f"{previous}: does not fit this training ({reason})") from None
        if training.step != plan.first:
            raise TrainingError(
                f"{previous}: ends at step {training.step}, checkpoint {plan.checkpoint} starts at {plan.first}"
            )
    return training


def _take_steps(
    kind: Trainable,
    data: Source,
    training: TrainingState,
    watch: Watch,
    device: torch.device,
    previous: Path | None,
    progress: TextIO | None,
) -> None:
    plan = training.plan
    steps = range(training.step, plan.end)
    batches = _batches(data, plan, device)
    bar = tqdm(steps, desc=plan.name, file=progress, disable=progress is None, mininterval=2, ascii=True)
    for step in bar:
        training.scale_rates(kind.rate(step, plan.steps) if hasattr(kind, "rate") else 1.0)
        try:
            _take_step(kind, batches, training, device)
        except FloatingPointError as error:
            if plan.tolerant:
                watch.end(f"{error} at step {step}")
                break
            good = f"the last good state is {previous}" if previous else "there is no earlier state"
            raise TrainingError(f"{plan.name}: {error} at step {step}; {good}; lower the learning rate") from None
        if point := training.losses.end_step():
            watch.add(point)
            watch.show(training.losses)
            bar.set_postfix({name: f"{value:.3g}" for name, value in point.items()}, refresh=False)
        if watch.stopped:
            break


def _take_step(kind: Trainable, batches: Ahead, training: TrainingState, device: torch.device) -> None:
    """All updates of one step; its random numbers depend on the seed and the step alone."""
    plan, step = training.plan, training.step
    torch.manual_seed(torch_seed(plan.seed, plan.name, "torch", step))
    noise = torch.Generator().manual_seed(torch_seed(plan.seed, plan.name, "noise", step))
    moved = (_to(batch, device) for batch in batches.of(step))
    updates = kind.step(training.modules, moved, noise, step)
    while (update := _next(updates, plan, device)) is not None:
        optimiser, loss = training.optimisers[update.optimiser], float(update.loss.detach())
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss of {update.optimiser} is {loss}")
        optimiser.zero_grad(set_to_none=True)
        update.loss.backward()
        optimiser.step()
        training.losses.add({f"loss_{update.optimiser}": loss})
        training.losses.add({name: _number(value) for name, value in update.logs.items()})
    for name, average in training.averages.items():
        average.update(training.modules[name])
    training.step += 1


def _number(value: Any) -> float:
    return float(value.detach() if isinstance(value, torch.Tensor) else value)


def _next(updates: Iterator, plan: RunPlan, device: torch.device) -> Any:
    """The next update, its forward pass in the plan's precision; None at the end."""
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=plan.training.precision == "bfloat16"):
        return next(updates, None)


def _batches(data: Source, plan: RunPlan, device: torch.device) -> Ahead:
    """Batches, each from a stream of its own; beside a GPU the training's other cores draw them."""

    def draw(step: int, number: int) -> Any:
        return data.draw(named_rng(plan.seed, plan.name, "batch", step, number))

    return Ahead(draw, plan.end, plan.training.threads - 1 if device.type == "cuda" else 0)


def _to(batch: Any, device: torch.device) -> Any:
    if isinstance(batch, dict):
        return {name: _to(value, device) for name, value in batch.items()}
    if isinstance(batch, tuple | list):
        return type(batch)(_to(value, device) for value in batch)
    return batch.to(device)


def _check(kind: Trainable, training: TrainingState, watch: Watch) -> None:
    """Ask the kind whether its networks are still alive, with averages in place of the weights they follow.

    Networks of a few steps are not asked: they had no time to learn anything, let alone to lose it.
    """
    plan = training.plan
    if not hasattr(kind, "check") or training.step < CHECKED_FROM or watch.stopped:
        return
    noise = torch.Generator().manual_seed(torch_seed(plan.seed, plan.name, "check"))
    averaged = {name: average.module for name, average in training.averages.items()}
    try:
        kind.check(training.modules | averaged, noise)
    except TrainingError as error:
        if not plan.tolerant:
            raise
        watch.spoilt = str(error).partition(";")[0]


def _in_use(training: TrainingState) -> dict[str, nn.Module]:
    """The networks as they are used after training: averages where there are any, all in eval mode."""
    averaged = {name: average.module for name, average in training.averages.items()}
    return {name: module.eval() for name, module in (training.modules | averaged).items()}


def _verdict(training: TrainingState, watch: Watch, device: torch.device, spread: float | None) -> Verdict:
    plan, monitor = training.plan, watch.monitor
    finished = training.step == plan.steps or watch.stopped
    return Verdict(
        name=plan.name,
        step=training.step,
        steps=plan.steps,
        points=len(training.losses.rows),
        mode=watch.mode,
        verdict=watch.verdict(finished),
        stopped=watch.stopped,
        stop_step=watch.step_of(monitor.stop),
        diverged_step=watch.step_of(monitor.diverged),
        window_point=monitor.e0,
        monitored=[] if watch.mode == "none" else [name.removeprefix("loss_") for name in watch.columns],
        spread=None if spread is None else round(spread, 4),
        collapsed=spread is not None and training.step >= CHECKED_FROM and spread < plan.monitor.collapse,
        device=device.type,
        bitwise=device.type == "cpu",
        spoilt=bool(watch.spoilt),
    )


def _summary(training: TrainingState, verdict: Verdict) -> str:
    last = training.losses.rows[-1] if training.losses.rows else {}
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in last.items())
    return f"{verdict.name}: step {verdict.step} of {verdict.steps}, {numbers}; monitor: {verdict.verdict}"


def _say(progress: TextIO | None, line: str) -> None:
    if progress is not None:
        print(line, file=progress, flush=True)
