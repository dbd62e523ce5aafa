"""The segmenters: one folder a kind, `settings.py` and `network.py`."""

from lungsynth.study.registry import Registry

SEGMENTERS = Registry("lungsynth.segment", "network", "segmenter")
