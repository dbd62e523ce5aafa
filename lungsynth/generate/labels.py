"""The classes that a run learns and draws by."""

import pandas as pd

from lungsynth.sets.labels import Labelled, read
from lungsynth.study.runs import Run


def labelled(run: Run, table: pd.DataFrame) -> Labelled | None:
    """The classes of the bank that a run learns from, by its table; None where the run takes none.

    Raises:
        DataError: see `read`.
    """
    return None if run.labels is None else read(table, run.labels, f"generate.{run.target}.labels")


def how_many(known: Labelled | None) -> int:
    """Classes that networks are built for; 1 where there are none."""
    return 1 if known is None else len(known.names)
