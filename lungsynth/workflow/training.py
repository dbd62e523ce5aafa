"""What the training scripts share: from a job to one checkpoint of a run."""

import sys
from collections.abc import Callable
from typing import Any

from lungsynth.study.runs import Run
from lungsynth.study.stages.segment import ChosenDetector
from lungsynth.train.checkpoints import RunPlan
from lungsynth.train.weights import part
from lungsynth.workflow.step import Job


def run_training(job: Job, run: Run, kind: Any, data: Any, spread: Callable[[Any], float] | None = None) -> None:
    """Train the checkpoint that the job's wildcard names, from the one before to the job's outputs.

    Args:
        run: what is trained, see `lungsynth.study.runs`.
        kind: a `Trainable`; data: a `Source`; spread: see `train.loop.run_checkpoint`.
    """
    from lungsynth.train.loop import run_checkpoint

    start, monitor = getattr(job.input, "start", []), job.settings("monitor")
    if run.compared and monitor.mode != "none":
        monitor = monitor.model_copy(update={"mode": "report"})
    plan = RunPlan(
        name=run.name,
        seed=run.seed,
        training=run.training,
        checkpoint=int(job.wildcards.checkpoint),
        device=job.settings("device"),
        monitor=monitor,
        start=start[0] if start else None,
        part=part(start[0], run.subset) if start else "",
        tolerant=run.compared,
    )
    before = job.input.before[0] if job.input.before else None
    verdict = run_checkpoint(
        kind,
        data,
        plan,
        before,
        job.output.state,
        job.output.verdict,
        job.output.losses,
        progress=sys.stderr,
        out_slopes=job.output.slopes,
        log=job.log,
        spread=spread,
    )
    job.record(device=verdict.device, bitwise=verdict.bitwise)


def detector_of(job: Job) -> ChosenDetector:
    """The detector of a step: of the run in its view, where there is one, else the study's own."""
    if "run" not in job.view:
        return job.settings("segment.detector")
    run = job.settings("run")
    return ChosenDetector(kind=run.kind, **run.settings)
