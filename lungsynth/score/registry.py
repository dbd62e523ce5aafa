"""The metrics: one file each in `score/metrics`."""

from lungsynth.study.registry import Registry

METRICS = Registry("lungsynth.score.metrics", what="metric", flat=True)
