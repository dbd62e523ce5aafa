"""The detectors: one folder a kind, `settings.py` and `network.py`."""

from lungsynth.study.registry import Registry

DETECTORS = Registry("lungsynth.segment.kinds", "network", "detector")
