"""What a system answers on whole scans: its operating point from tune scans, and what it then finds in test scans.

One scan is held at a time, so that a large set takes no more memory than a small one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lungsynth.ct.volume import Volume
from lungsynth.segment.scoring import threshold
from lungsynth.segment.scoring.detection_table import with_probability
from lungsynth.segment.scoring.systems import NODULES, Answers, best_near, overlaps
from lungsynth.sets.scans import Prepared
from lungsynth.sets.tables import concatenate, read_csv
from lungsynth.study.errors import DataError

Find = Callable[[Prepared, float], tuple[pd.DataFrame, np.ndarray | None]]
"""(scan, threshold) -> all its candidates, and int labels of them [z, y, x] where it outlines any."""


def whole(scans: Iterable[Prepared], role: str) -> Iterator[Prepared]:
    """The whole scans of them.

    Raises:
        DataError: there is none.
    """
    none = True
    for scan in scans:
        if scan.kind == "volume":
            none = False
            yield scan
    if none:
        raise DataError(f"no {role} patient has a whole scan; detectors are compared on whole scans of tune and test")


def operating_point(
    find: Find,
    scans: Iterable[Prepared],
    marks: pd.DataFrame,
    max_false_positives: float,
    thresholds: tuple[float, ...],
) -> threshold.OperatingPoint:
    """The point that tune scans choose for a system, see `threshold.choose`."""
    names, tables = [], {level: [] for level in thresholds}
    for scan in scans:
        names.append(scan.scan)
        for level, some in tables.items():
            some.append(find(scan, level)[0])
    found = {level: concatenate(some) for level, some in tables.items()}
    return threshold.choose(found.__getitem__, marks, names, max_false_positives, thresholds)


def on_test(
    find: Find, scans: Iterable[Prepared], point: threshold.OperatingPoint, marks: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All candidates at the point's threshold, and the outlined nodules by what is shown (`systems.NODULES`)."""
    tables, outlined = [], [pd.DataFrame(columns=NODULES)]
    for scan in scans:
        table, labels = find(scan, point.threshold)
        tables.append(table)
        if labels is not None:
            shown = np.isin(labels, table.loc[table["probability"] >= point.probability, "label"]) * labels
            outlined.append(overlaps(marks[marks["scan"] == scan.scan], scan.nodules, shown))
    return concatenate(tables), concatenate(outlined)


def judged_places(
    places: pd.DataFrame, candidates: pd.DataFrame, map_of: Callable[[str], Volume | None]
) -> pd.DataFrame:
    """The balanced list with a column `probability`: the map's within each place, without a map the best candidate's.

    map_of: a scan's name -> its uint8 probability, None where the system gives none.
    """
    sure = best_near(places, candidates)
    for name in places["scan"].unique():
        volume, here = map_of(name), (places["scan"] == name).to_numpy()
        if volume is not None:
            sure[here] = with_probability(places[here], {name: volume})["probability"]
    return places.assign(probability=sure)


def read_answers(facts: Mapping[str, Any], candidates: Path, nodules: Path, places: Path) -> Answers:
    """What a step wrote of a system; a list of places that has no probability was not put to it.

    facts: with `point`, an operating point as plain values.
    """
    asked = read_csv(places)
    told = asked if "probability" in asked else None
    return Answers(read_csv(candidates), facts["point"]["probability"], read_csv(nodules), told)


def pooled(folds: Sequence[Answers], scans: Sequence[Sequence[str]]) -> Answers:
    """What the networks of one system answered, fold by fold, as one system's answers: each scan by one of them.

    Every fold keeps its own operating point; probabilities are put in one order as they are, as LUNA16 does.

    Args:
        folds: of each; scans: those tested in each.

    Raises:
        DataError: a scan that is tested twice.
    """
    names = [name for some in scans for name in some]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"compare.detectors.folds: the scan {double[0]} is tested in more than one of them")
    if len(folds) == 1:
        return folds[0]
    least = {name: float(one.least_in([name])[0]) for one, some in zip(folds, scans, strict=True) for name in some}
    outlined = [one.nodules for one in folds]
    asked = [one.patches for one in folds]
    return Answers(
        concatenate([one.candidates for one in folds]),
        least,
        None if any(table is None for table in outlined) else concatenate(outlined),
        None if any(table is None for table in asked) else concatenate(asked),
    )
