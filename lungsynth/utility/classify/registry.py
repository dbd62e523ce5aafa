"""The classifiers: one folder a kind, `settings.py` and `network.py`."""

from lungsynth.study.registry import Registry

CLASSIFIERS = Registry("lungsynth.utility.kinds", "network", "classifier")
