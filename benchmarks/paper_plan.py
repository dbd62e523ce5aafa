"""The plan of Chi 2023 at its own size: 5,000 groups on 500 normals of 256 px, the best million, against a full sort.

Run with `make bench`; writes benchmarks/paper_plan.csv. Seconds are of processor time; the ratio counts.
"""

import resource
import statistics
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

from lungsynth.compose.clearance import score_all
from lungsynth.compose.plan import make_plan
from lungsynth.sets.bank import ImageSet
from lungsynth.study.seeds import rng
from lungsynth.study.stages.compose import Plan

NORMALS, GROUPS, SIZE_PX, FOV_MM = 500, 5000, 256, 320
SETTINGS = Plan(keep=1_000_000, min_contrast_hu=0, max_per_normal=None, max_per_group=None)
REPEATS = 3


def lungs(stream: np.random.Generator) -> np.ndarray:
    """Two ellipses of changing size, labels 1 and 2."""
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX] / SIZE_PX
    mask = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    for label, middle in ((1, 0.3), (2, 0.7)):
        wide, high = stream.uniform(0.1, 0.15), stream.uniform(0.18, 0.28)
        mask[((x - middle) / wide) ** 2 + ((y - 0.5) / high) ** 2 < 1] = label
    return mask


def groups(stream: np.random.Generator) -> pd.DataFrame:
    """Members of random groups, 1 to 5 each, mean 2."""
    sizes = np.clip(stream.poisson(2, GROUPS), 1, 5)
    group = np.repeat(np.arange(GROUPS), sizes).astype(np.int32)
    radius = stream.uniform(2, 6, len(group))
    places = {name: stream.random(len(group)) for name in ("u", "v")}
    more = {"side": stream.integers(1, 3, len(group)), "radius_mm": radius, "reach_mm": radius * 1.1, "mean_hu": 0.0}
    return pd.DataFrame({"group": group, **places, **more})


def best_by_sorting(score: np.ndarray, keep: int) -> np.ndarray:
    """What the plan keeps, by a sort of all pairs."""
    return np.argsort(-np.ravel(score), kind="stable")[:keep]


def main() -> None:
    """Time both, prove them equal, and write the table."""
    stream = rng(1, "bench", "plan")
    masks = np.stack([lungs(stream) for _ in range(NORMALS)])
    normals = ImageSet(
        np.full(masks.shape, -850, np.int16), masks, FOV_MM / SIZE_PX, pd.DataFrame({"id": range(NORMALS)})
    )
    members, rows = groups(stream), []
    for _ in range(REPEATS):
        start = time.process_time()
        scores = score_all(normals, members, SETTINGS, 2)
        scored = time.process_time()
        plan, _ = make_plan(scores, SETTINGS, 1)
        planned = time.process_time()
        sorted_all = best_by_sorting(scores.score, SETTINGS.keep)
        rows.append((scored - start, planned - scored, time.process_time() - planned))
    flat = plan["normal"].to_numpy(int) * GROUPS + plan["group"].to_numpy(int)
    assert np.array_equal(flat, sorted_all)
    scoring, planning, sorting = (statistics.median(column) for column in zip(*rows, strict=True))
    table = {
        "pairs": [NORMALS * GROUPS],
        "kept": [len(plan)],
        "seconds_scoring": [round(scoring, 2)],
        "seconds_planning": [round(planning, 2)],
        "planning_over_a_sort_alone": [round(planning / sorting, 2)],
        "peak_mb": [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024],
        "sha256": [sha256(pd.util.hash_pandas_object(plan, index=False).to_numpy().tobytes()).hexdigest()[:16]],
    }
    pd.DataFrame(table).to_csv(Path(__file__).with_suffix(".csv"), index=False)
    print(pd.DataFrame(table).T.to_string(header=False))


if __name__ == "__main__":
    main()
