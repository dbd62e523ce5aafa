"""The exporters: one file each in `release/formats`."""

from lungsynth.study.registry import Registry

EXPORTERS = Registry("lungsynth.release.formats", what="release format", flat=True)
