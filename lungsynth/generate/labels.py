"""The classes that a run learns and draws by."""

from collections.abc import Sequence

import pandas as pd

from lungsynth.sets.labels import Classes, Labelled, read
from lungsynth.study.errors import DataError
from lungsynth.study.runs import CLASS, Run


def labelled(run: Run, table: pd.DataFrame) -> Labelled | None:
    """The classes of the bank that a run learns from, by its table; None where the run takes none.

    Raises:
        DataError: see `read`.
    """
    return None if run.labels is None else read(table, run.labels, f"generate.{run.target}.labels")


def classes_of(runs: Sequence[Run], table: pd.DataFrame) -> Classes | None:
    """What runs draw by, one for all or each for one class, with the shares in a bank by its table; None: nothing.

    Raises:
        DataError: the bank has no image of these classes; see `read`.
    """
    names = [run.subset.label for run in runs if of_one_class(run)]
    if not names:
        known = labelled(runs[0], table)
        return None if known is None else known.classes
    there = [int((table[CLASS] == name).sum()) for name in names]
    if not sum(there):
        raise DataError(f"{runs[0].name}: the bank holds no image of the class {', '.join(names)}")
    return Classes(names, [n / sum(there) for n in there])


def of_one_class(run: Run) -> bool:
    """Whether a run learns from one class alone."""
    return run.subset is not None and run.subset.label is not None


def how_many(known: Labelled | None) -> int:
    """Classes that networks are built for; 1 where there are none."""
    return 1 if known is None else len(known.names)
