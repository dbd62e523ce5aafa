"""The exact choice of the kept pairs, its bounds and its errors."""

from hashlib import sha256

import numpy as np
import pandas as pd
import pytest
from compose_cases import members, normals
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lungsynth.compose.clearance import Scores, score_all
from lungsynth.compose.plan import choose, make_plan
from lungsynth.study.errors import DataError, StudyError
from lungsynth.study.stages.compose import Plan

# Few distinct values, so that ties are the rule.
SCORES = arrays(np.float32, st.tuples(st.integers(1, 7), st.integers(1, 9)), elements=st.integers(0, 4).map(float))


def slow_choice(score: np.ndarray, keep: int, per_normal: int | None = None, per_group: int | None = None) -> list[int]:
    """The definition: walk all pairs by (-score, i, j)."""
    ranked = sorted(np.ndindex(score.shape), key=lambda at: (-score[at], *at))
    kept = []
    for i, j in ranked:
        in_normal = sum(1 for a, _ in kept if a == i)
        in_group = sum(1 for _, b in kept if b == j)
        if in_normal < (per_normal or score.size) and in_group < (per_group or score.size) and len(kept) < keep:
            kept.append((i, j))
    return [i * score.shape[1] + j for i, j in kept]


@settings(deadline=None)
@given(SCORES, st.data())
def test_the_choice_equals_the_full_sort(score, data):
    keep = data.draw(st.integers(1, score.size))
    assert choose(score, keep).kept.tolist() == slow_choice(score, keep)


@settings(deadline=None)
@given(SCORES, st.integers(1, 3), st.integers(1, 3), st.data())
def test_bounds_hold_and_equal_the_walk(score, per_normal, per_group, data):
    possible = slow_choice(score, score.size, per_normal, per_group)
    keep = data.draw(st.integers(1, len(possible)))
    assert choose(score, keep, per_normal, per_group).kept.tolist() == possible[:keep]
    if keep < score.size:
        with pytest.raises((DataError, StudyError)):
            choose(score, len(possible) + 1, per_normal, per_group)


def test_ties_at_the_cut_are_counted_and_taken_in_order():
    chosen = choose(np.float32([[1, 2], [2, 2]]), 2)
    assert (chosen.kept.tolist(), chosen.threshold, chosen.tied) == ([1, 2], 2, 3)


def test_nan_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        choose(np.float32([[1, np.nan]]), 1)


def test_more_than_there_are_is_a_mistake_in_the_study():
    with pytest.raises(StudyError, match=r"compose\.plan\.keep: 5 is more than the 4"):
        choose(np.zeros((2, 2), np.float32), 5)


def test_pairs_outside_the_lungs_are_never_kept():
    with pytest.raises(DataError, match="only 1 of 2"):
        choose(np.float32([[1, -np.inf, -np.inf]]), 2)


def test_plan_rows_and_summary():
    score = np.float32([[5, 1, -np.inf], [4, 3, 2]])
    plan, about = make_plan(Scores(score, np.where(np.isfinite(score), score, -1).astype(np.float32)), Plan(keep=3), 7)
    assert plan[["normal", "group"]].to_numpy().tolist() == [[0, 0], [1, 0], [1, 1]]
    assert plan["clearance_mm"].tolist() == [5, 4, 3] and plan["rank"].tolist() == [0, 1, 2]
    assert [plan[name].dtype.name for name in plan] == ["int32", "int32", "float32", "int32", "int64"]
    assert about["combinations"] == 6 and about["inside_the_lungs"] == 5 and about["kept"] == 3
    assert about["share_of_each_normal"] == {"min": 0.333333, "median": 0.5, "max": 0.666667, "used": 2, "of": 2}


def test_seeds_are_of_the_study_and_the_pair():
    scores = Scores(np.float32([[1, 2, 3]]), np.float32([[1, 2, 3]]))
    one, fewer = (make_plan(scores, Plan(keep=keep), 7)[0] for keep in (3, 2))
    assert one["seed"].is_unique and one["seed"].tolist()[:2] == fewer["seed"].tolist()
    assert one["seed"].tolist() != make_plan(scores, Plan(keep=3), 8)[0]["seed"].tolist()


def test_a_plan_of_many_pairs_is_the_sort_of_all_and_the_same_when_it_is_made_again():
    """40,000 of 100,000 pairs, scored on lungs; benchmarks/paper_plan.py makes the paper's million."""
    stream = np.random.default_rng(3)
    groups, pool = 10_000, normals(10)
    group = np.sort(np.concatenate([np.arange(groups), stream.integers(0, groups, groups)]))
    side, place = stream.integers(1, 3, len(group)), stream.random((2, len(group)))
    size = stream.uniform(2, 6, len(group))
    table = members(list(zip(group, range(len(group)), side, *place, size, 1.1 * size, strict=True)))
    rules = Plan(keep=40_000, min_contrast_hu=0, max_per_normal=None, max_per_group=None)

    def made(seed):
        return make_plan(score_all(pool, table, rules, 2), rules, seed)[0]

    def digest(plan):
        return sha256(pd.util.hash_pandas_object(plan, index=False).to_numpy().tobytes()).hexdigest()

    plan, score = made(1), score_all(pool, table, rules, 2).score
    kept = plan["normal"].to_numpy(int) * groups + plan["group"].to_numpy(int)
    assert np.array_equal(kept, np.argsort(-score.ravel(), kind="stable")[:40_000])
    assert digest(plan) == digest(made(1)) != digest(made(2))
