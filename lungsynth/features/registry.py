"""The extractors: one folder each."""

from lungsynth.study.registry import Registry

EXTRACTORS = Registry("lungsynth.features", what="extractor")
