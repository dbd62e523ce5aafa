"""The generators: one folder a kind, `settings.py` and `network.py`."""

from lungsynth.study.registry import Registry

GENERATORS = Registry("lungsynth.generate.kinds", "network", "generator")
