"""LUNA16's score at its full size: 888 scans x 1,000 candidates and 1,000 bootstraps on one core.

Beside it the bootstrap as the challenge's script makes it: the entries of the drawn scans are put together and
scikit-learn sorts them again for every draw; timed over a few draws and scaled to all. Seconds are those of the
processor, medians of REPEATS. Run with `make bench`. Writes benchmarks/luna16_scoring.csv.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from lungsynth.segment.scoring.detection import XYZ, Curve, Matched, bootstrap, draw_weights, match

SCANS, CANDIDATES, DRAWS, NODULES, EXCLUDED = 888, 1000, 1000, 1186, 35192
REPEATS, SCRIPT_DRAWS = 5, 20


def tables(rng: np.random.Generator) -> tuple[list[str], pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Scans, marks, nodules and excluded findings in LUNA16's numbers; 9 of 10 nodules have a mark, rather sure."""
    scans = [f"1.3.6.1.4.1.14519.5.2.1.6279.6001.{k:030d}" for k in range(SCANS)]

    def placed(rows: int, **more: np.ndarray) -> pd.DataFrame:
        places = pd.DataFrame(rng.uniform(0, 300, (rows, 3)), columns=XYZ)
        return places.assign(scan=rng.choice(scans, rows), **more)

    nodules = placed(NODULES, diameter_mm=rng.uniform(3, 32, NODULES))
    excluded = placed(EXCLUDED, diameter_mm=np.full(EXCLUDED, -1.0))
    marks = placed(SCANS * CANDIDATES, probability=rng.random(SCANS * CANDIDATES) ** 60)
    marks["scan"] = np.repeat(scans, CANDIDATES)
    found = nodules.sample(frac=0.9, random_state=0)
    marks = pd.concat([marks, found[["scan", *XYZ]].assign(probability=rng.random(len(found)) ** 0.1)])
    return scans, marks, nodules, excluded


def by_script(matched: Matched, weights: np.ndarray) -> None:
    """One curve a draw, from scratch."""
    order = np.argsort(matched.scan, kind="stable")
    of_scan = np.split(order, np.cumsum(np.bincount(matched.scan, minlength=len(matched.scans)))[:-1])
    for row in weights:
        drawn = np.concatenate([of_scan[scan] for scan in np.repeat(np.arange(len(row)), row)])
        drawn = drawn[~matched.missed[drawn]]
        roc_curve(matched.positive[drawn], matched.probability[drawn])


def seconds(function: Callable[[], object]) -> tuple[float, object]:
    """Processor seconds of a call, and what it returned."""
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def main() -> None:
    """Time both and write the medians."""
    rng = np.random.default_rng(0)
    scans, marks, nodules, excluded = tables(rng)
    weights = draw_weights(scans, DRAWS, rng)
    times: dict[str, list[float]] = {"match": [], "bootstrap": [], "script": []}
    for _ in range(REPEATS):
        taken, matched = seconds(lambda: match(marks, nodules, scans, excluded))
        times["match"].append(taken)
        times["bootstrap"].append(seconds(lambda m=matched: bootstrap(Curve(m), weights))[0])
        few = seconds(lambda m=matched: by_script(m, weights[:SCRIPT_DRAWS]))[0]
        times["script"].append(few * DRAWS / SCRIPT_DRAWS)
    matching, drawing, script = (statistics.median(times[name]) for name in ("match", "bootstrap", "script"))
    rows = [
        "scans,candidates_per_scan,draws,match_s,bootstrap_s,total_s,script_bootstrap_s,bootstrap_ratio",
        f"{SCANS},{CANDIDATES},{DRAWS},{matching:.2f},{drawing:.2f},{matching + drawing:.2f},{script:.1f},"
        f"{script / drawing:.0f}",
    ]
    print(rows[-1])
    Path(__file__).with_suffix(".csv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
