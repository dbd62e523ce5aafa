"""lungsynth: labelled synthetic chest CT from real chest CT, with scores one can trust."""

__version__ = "0.1.0"
