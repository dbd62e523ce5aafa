"""Settings of the phantom cohort as a source; the chests' own stand in the study, under `cohort.phantom`."""

from lungsynth.cohort.luna16.settings import Settings as Luna16Settings


class Settings(Luna16Settings):
    """The cohort as a source: it is read as the LUNA16 folder that it is."""
