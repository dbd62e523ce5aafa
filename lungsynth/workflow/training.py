"""What the training scripts share: from a job to one segment of the training loop."""

import sys
from typing import Any

from lungsynth.train.segments import SegmentPlan
from lungsynth.workflow.step import Job


def run_training(job: Job, name: str, kind: Any, data: Any, schedule: Any, threads: int) -> None:
    """Train the segment that the job's wildcard names, from the state before to the job's outputs.

    Args:
        name: of the training; its random numbers descend from it.
        schedule: settings with steps, segments, points_every and perhaps a precision.
        data: draws a batch from a numpy Generator.
    """
    from lungsynth.train.loop import run_segment

    plan = SegmentPlan(
        name=name,
        seed=job.seed,
        steps=schedule.steps,
        segments=schedule.segments,
        segment=int(job.wildcards.segment),
        points_every=schedule.points_every,
        threads=threads,
        device=job.settings("device"),
        monitor=job.settings("monitor"),
        precision=getattr(schedule, "precision", "float32"),
    )
    before = job.input.before[0] if job.input.before else None
    verdict = run_segment(
        kind, data, plan, before, job.output.state, job.output.verdict, job.output.losses, progress=sys.stderr
    )
    job.record(device=verdict.device, bitwise=verdict.bitwise)
