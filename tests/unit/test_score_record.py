"""A score with its floor, warnings and file; the table made of scores."""

import numpy as np
import pytest

from lungsynth.score import floors, record, table
from lungsynth.score.registry import METRICS
from lungsynth.score.samples import Sample
from lungsynth.study.errors import DataError

SOURCE = record.Source("slices", "ab" * 32, ("a", "b"), 6, (-1000.0, 400.0), "linear")
EFFORT = record.Effort(draws=60, halves=4)


def sample(n: int, seed: int, patients: int | None = None, shift: float = 0.0) -> Sample:
    points = np.random.default_rng(seed).normal(shift, 1, size=(n, 6))
    return Sample.of(points, None if patients is None else np.arange(n) % patients)


def measure(name: str, fake: Sample, reference: Sample | None = None, held_out: Sample | None = None):
    reference = reference or sample(120, 0, patients=6)
    held_out = held_out or sample(90, 5, patients=5)
    return record.measure(METRICS.get(name)(), ("composites", "test"), SOURCE, fake, reference, held_out, 2023, EFFORT)


def test_halves_share_no_patient_and_are_of_equal_size():
    one = sample(100, 0, patients=7)
    for seed in range(5):
        first, second = floors.halves(one, 1000, np.random.default_rng(seed))
        assert len(first) == len(second)
        assert not set(one.units[first]) & set(one.units[second])


def test_the_floor_of_fid_is_what_n_alone_explains():
    d, n = 8, 300
    reference = Sample.of(np.random.default_rng(0).normal(size=(2 * n, d)))
    floor = floors.of_halves(METRICS.get("fid")(), reference, reference, np.random.default_rng(1), 10)
    assert floor.n == n
    assert floor.value == pytest.approx(d * (d + 5) / (2 * n), rel=0.25)


def test_the_floor_from_other_patients_stands_at_the_set_s_own_n():
    reference, others = sample(120, 0, patients=6), sample(200, 7, patients=10)
    fid = METRICS.get("fid")()
    at_n = floors.of_others(fid, reference, others, sample(90, 1), np.random.default_rng(0))
    assert (at_n.n, at_n.value_at_n) == (90, None)
    thinned = floors.of_others(fid, reference, others, sample(150, 1), np.random.default_rng(0))
    assert thinned.n == 100
    assert thinned.value_at_n == pytest.approx(thinned.value, rel=0.4)


def test_a_set_from_the_reference_population_scores_at_its_floor_and_a_shifted_one_above():
    honest, shifted = measure("fid", sample(120, 1)), measure("fid", sample(120, 1, shift=0.5))
    assert honest.value_at_n_floor == pytest.approx(honest.floor, rel=0.4)
    assert shifted.value_at_n_floor > 3 * shifted.floor


@pytest.mark.parametrize("name", METRICS.names())
def test_every_metric_makes_a_score_that_survives_its_file(name, tmp_path):
    score = measure(name, sample(60, 3))
    assert score.floor is not None
    assert score.low <= score.value <= score.high
    record.write(tmp_path / "scores.json", [score])
    first = (tmp_path / "scores.json").read_bytes()
    assert record.read(tmp_path / "scores.json") == [score]
    record.write(tmp_path / "scores.json", [measure(name, sample(60, 3))])
    assert (tmp_path / "scores.json").read_bytes() == first


@pytest.mark.parametrize("name", ["kid", "recall", "fid"])
def test_a_reference_of_one_patient_gives_a_value_and_no_interval(name, tmp_path):
    alone = Sample.of(sample(80, 5).points, ["p"] * 80)
    source, fake = (
        record.Source("slices", "0" * 64, ("a",), alone.points.shape[1], (-1000, 400), "linear"),
        sample(60, 3),
    )
    score = record.measure(METRICS.get(name)(), ("fakes", "real"), source, fake, alone, alone, 0, record.Effort(20, 2))
    assert np.isfinite(score.value)
    assert (score.low, score.high) == (None, None)
    assert "one patient: no interval" in score.note
    record.write(tmp_path / "scores.json", [score])
    assert record.read(tmp_path / "scores.json") == [score]
    assert table.of_scores([score])[["low", "high"]].isna().all(axis=None)


def test_small_samples_are_named_in_the_note():
    score = measure("fid", sample(40, 1), reference=sample(50, 0, patients=5))
    assert "50 real images, 500 wanted" in score.note
    assert "5 patients" in score.note
    assert f"floor at n = {score.n_floor}, where the set scores" in score.note


def test_a_reference_that_is_missing_or_tiny_is_one_line():
    with pytest.raises(DataError, match=r"kid of composites against test: \[5, 120\] images, 8 wanted"):
        measure("kid", sample(5, 1))


def test_the_table_has_the_fixed_columns_in_order():
    rows = table.of_scores([measure("kid", sample(40, 1)), measure("fid", sample(40, 1))])
    assert list(rows.columns) == record.COLUMNS
    assert rows["metric"].tolist() == ["fid", "kid"]
