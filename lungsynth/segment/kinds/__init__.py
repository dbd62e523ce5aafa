"""The detectors, one folder a kind."""
