"""The readers: one folder each, found by name."""

from lungsynth.study.registry import Registry

READERS = Registry("lungsynth.cohort", "reader", "reader")
