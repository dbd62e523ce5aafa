"""The phantom cohort through the reader of LUNA16 folders, so that the demo exercises what real data will meet."""

from lungsynth.cohort.luna16.reader import Luna16Reader
from lungsynth.cohort.registry import READERS


@READERS.register("phantom")
class PhantomReader(Luna16Reader):
    """The folder that `make_phantom` wrote."""
