"""The official LUNA16 score: against a slow copy of the script's steps, on real tables, from files to picture."""

import lzma
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from detection_cases import ANNOTATIONS, EXCLUDED, MARKS, SCANS, findings, marks
from sklearn.metrics import roc_curve

from lungsynth.segment.scoring import detection, froc_plot
from lungsynth.segment.scoring.detection import RATES, Curve, match
from lungsynth.segment.scoring.luna16 import evaluate
from lungsynth.sets.findings import read_findings, read_marks, read_series
from lungsynth.study.errors import DataError

DATA = os.environ.get("LUNGSYNTH_DATA", "")


def rows_of(table, scan):
    return [tuple(row)[1:] for row in table[table["scan"] == scan].itertuples(index=False)]


def is_hit(mark, finding):
    radius = (10 if finding[3] < 0 else finding[3]) / 2
    return sum((a - b) ** 2 for a, b in zip(mark[:3], finding[:3], strict=True)) < radius**2


def entries_of(of_marks, nodules, others):
    """One scan step by step: its entries (positive, probability, left out of the ROC), ignored marks, doubles."""
    if len(of_marks) > 100:
        limit = sorted((mark[3] for mark in of_marks), reverse=True)[100]
        of_marks = [mark for mark in of_marks if mark[3] > limit]
    pool, entries, ignored, doubles = dict(enumerate(of_marks)), [], 0, 0
    for nodule in nodules:
        hits = [k for k, mark in enumerate(of_marks) if is_hit(mark, nodule)]
        best = max((of_marks[k][3] for k in hits), default=-1e9)
        entries.append((1, best, not hits))
        doubles += max(0, len(hits) - 1)
        for k in hits:
            pool.pop(k, None)
    for other in others:
        for k in [k for k, mark in pool.items() if is_hit(mark, other)]:
            ignored += 1
            del pool[k]
    return entries + [(0, mark[3], False) for mark in pool.values()], len(of_marks), ignored, doubles


def slow_curve(entries, n_scans):
    """False positives a scan and sensitivity by scikit-learn's ROC, as the script has them; None where it cannot."""
    nodules = sum(positive for positive, _, _ in entries)
    shown = [(positive, probability) for positive, probability, out in entries if not out]
    if not nodules:
        return None
    if not shown:
        return np.zeros(1), np.zeros(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without a hit, or without a false positive, one axis is not defined
        fpr, tpr, _ = roc_curve(*zip(*shown, strict=True))
    detected = sum(positive for positive, _ in shown)
    false = len(shown) - detected
    # Rounded back to whole false positives: 1/3 of 3 must lie at the rate 1, not beside it.
    fps = np.rint(fpr * false) / n_scans if false else np.zeros(len(fpr))
    return fps, tpr * detected / nodules if detected else np.zeros(len(fpr))


def random_tables(rng):
    """Few places and few probabilities, so that spheres are touched, marks are shared and the cap meets ties."""
    crowded = rng.random() < 0.3

    def placed(rows, last, values):
        places = rng.integers(-6, 7, (rows, 3))
        table = pd.DataFrame(places, columns=detection.XYZ).assign(scan=rng.choice([*SCANS, "elsewhere"], rows))
        return table[["scan", *detection.XYZ]].assign(**{last: values(rows)})

    levels = rng.integers(2, 400 if crowded else 30)
    found = placed(
        rng.integers(0, 900 if crowded else 40), "probability", lambda n: rng.integers(0, levels, n) / levels
    )
    sizes = [-1, *range(1, 9)]
    nodules, others = (placed(rng.integers(0, 9), "diameter_mm", lambda n: rng.choice(sizes, n)) for _ in range(2))
    return found, nodules, others


@pytest.mark.parametrize("case", range(60))
def test_score_equals_the_script_step_by_step(case):
    rng = np.random.default_rng(case)
    found, nodules, others = random_tables(rng)
    steps = [entries_of(*(rows_of(table, scan) for table in (found, nodules, others))) for scan in SCANS]
    matched = match(found, nodules, SCANS, others)
    assert (matched.candidates, matched.ignored, matched.doubles) == tuple(sum(s[k] for s in steps) for k in (1, 2, 3))
    picks = rng.integers(4, size=(12, 4))
    for drawn in (range(4), *picks):
        slow = slow_curve([entry for scan in drawn for entry in steps[scan][0]], 4)
        weights = np.bincount(drawn, minlength=4)
        assert Curve(matched).usable(weights) == (slow is not None)
        if slow is not None:
            np.testing.assert_allclose(Curve(matched).at(weights=weights), np.interp(RATES, *slow), atol=1e-12)


def test_random_tables_reach_the_hard_cases():
    """The comparison above means little unless ties at the cap, doubles, ignored marks and no hit occur in it."""
    seen = [match(*random_tables(np.random.default_rng(case))[:2], SCANS) for case in range(60)]
    assert any(one.candidates % 100 and one.candidates > 200 for one in seen)
    assert any(one.doubles for one in seen)
    assert any(not one.true_positives and one.nodules for one in seen)
    assert any(not one.nodules for one in seen)


def test_the_fixture_in_one_call():
    score = evaluate(MARKS, ANNOTATIONS, SCANS, EXCLUDED, rng=np.random.RandomState(0), system="net")
    row = score.table().iloc[0]
    counts = ["scans", "nodules", "true_positives", "false_negatives", "false_positives", "candidates", "ignored"]
    assert row[counts].tolist() == [4, 4, 3, 1, 5, 11, 2]
    assert row[["system", "doubles", "draws", "dropped", "candidates_per_scan"]].tolist() == ["net", 1, 1000, 3, 2.75]
    assert (row.sensitivity, row.cpm) == (0.75, pytest.approx(0.607142857, abs=1e-9))
    assert row.cpm_low <= row.cpm <= row.cpm_high
    assert row.sensitivity_low <= 0.75 <= row.sensitivity_high
    np.testing.assert_array_equal(score.froc.sensitivity, [0, 0.5, 0.75, 0.75, 0.75, 0.75, 0.75])
    reference = [0.27148111, 0.57099632, 0.75215647, *[0.79241295] * 4]
    np.testing.assert_allclose(score.froc.bootstrap_mean, reference, atol=5e-9)
    assert score.seven.cpm == pytest.approx(0.68061224, abs=5e-9)
    official = score.curve[score.curve.false_positives_per_scan.isin(RATES)].reset_index(drop=True)
    pd.testing.assert_frame_equal(official, score.froc.drop(columns="bootstrap_mean"))


def test_the_same_call_gives_the_same_intervals_and_patients_widen_them():
    rng = np.random.default_rng(0)
    scans = [f"s{k}" for k in range(80)]
    nodules = findings([(scan, 0, 0, 0, 10) for scan in scans])
    # The nodules of a patient's four scans are found together or not at all.
    found = np.repeat(rng.random(20) < 0.6, 4)
    hits = marks([(scan, 0 if hit else 90, 0, 0, rng.random()) for scan, hit in zip(scans, found, strict=True)])
    one, again = evaluate(hits, nodules, scans), evaluate(hits, nodules, scans)
    pd.testing.assert_frame_equal(one.table(), again.table())
    patients = evaluate(hits, nodules, scans, groups=np.repeat(np.arange(20), 4))
    width = [score.sensitivity[2] - score.sensitivity[1] for score in (one, patients)]
    assert width[1] > 1.5 * width[0]


def test_without_draws_or_without_nodules_there_is_no_interval():
    score = evaluate(MARKS, ANNOTATIONS, SCANS, draws=0)
    assert score.cpm[0] > 0
    assert np.isnan([*score.cpm[1:], *score.sensitivity[1:], *score.froc.low]).all()
    nothing = evaluate(MARKS, ANNOTATIONS[:0], SCANS, draws=10).table().iloc[0]
    assert np.isnan(nothing[["sensitivity", "cpm", "cpm_low"]].to_numpy(float)).all()
    assert (nothing.false_positives, nothing.dropped) == (11, 10)


def test_marks_of_other_scans_alone_and_wrong_groups_are_refused():
    with pytest.raises(DataError, match=r"none of 1 lies in a listed scan; the first mark's scan is x, .* one s0"):
        evaluate(marks([("x", 0, 0, 0, 0.5)]), ANNOTATIONS, SCANS)
    with pytest.raises(DataError, match="groups: 3 patients for 4 scans"):
        evaluate(MARKS, ANNOTATIONS, SCANS, groups=["p", "q", "r"])
    assert evaluate(marks([]), ANNOTATIONS, SCANS, draws=20).cpm == (0, 0, 0)


def write_official(table, path):
    names = {"scan": "seriesuid", "x_mm": "coordX", "y_mm": "coordY", "z_mm": "coordZ"}
    table.rename(columns=names).to_csv(path, index=False)
    return path


def test_files_of_the_challenge_give_the_score_of_the_tables(tmp_path):
    (tmp_path / "seriesuids.csv").write_text("\ufeff" + "\r\n".join(SCANS) + "\r\n", encoding="utf-8")
    score = evaluate(
        read_marks(write_official(MARKS, tmp_path / "marks.csv")),
        read_findings(write_official(ANNOTATIONS, tmp_path / "annotations.csv")),
        read_series(tmp_path / "seriesuids.csv"),
        read_findings(write_official(EXCLUDED, tmp_path / "annotations_excluded.csv")),
    )
    pd.testing.assert_frame_equal(score.table(), evaluate(MARKS, ANNOTATIONS, SCANS, EXCLUDED).table())
    write_official(marks([]), tmp_path / "none.csv")
    assert len(read_marks(tmp_path / "none.csv")) == 0


@pytest.mark.parametrize(
    ("read", "text", "pattern"),
    [
        (read_marks, "seriesuid,coordX,coordY,coordZ,class\na,1,2,3,0\n", "column probability is missing"),
        (read_marks, "seriesuid,coordX,coordY,coordZ,probability\na,1,2,3,nan\n", "row 2, probability: 'nan' is not"),
        (
            read_findings,
            "seriesuid,coordX,coordY,coordZ,diameter_mm\na,1,2,x,4\n",
            "row 2, coordZ: 'x' is not a number",
        ),
        (read_findings, "", "is empty"),
        (read_series, "\n\n", "is empty; it needs one series UID a line"),
        (read_series, "seriesuid\na\nb\n\na\n", "row 5: the series a is there twice, also in row 2"),
        (read_series, "a,1\n", "row 1 has several cells"),
    ],
)
def test_files_that_cannot_be_meant_are_one_line(tmp_path, read, text, pattern):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=rf"t\.csv: .*{pattern}") as caught:
        read(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"absent\.csv"):
        read(tmp_path / "absent.csv")


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    if not (DATA and (Path(DATA) / "luna16").is_dir()):
        pytest.skip("LUNGSYNTH_DATA is not set or holds no tables of LUNA16")
    folder, plain = Path(DATA) / "luna16", tmp_path_factory.mktemp("luna16") / "annotations_excluded.csv"
    plain.write_bytes(lzma.decompress((folder / "annotations_excluded.csv.xz").read_bytes()))
    return read_findings(folder / "annotations.csv"), read_series(folder / "seriesuids.csv"), read_findings(plain)


def test_real_tables_marked_by_their_own_centres(official):
    nodules, scans, excluded = official
    assert (len(nodules), len(scans), nodules["scan"].nunique(), len(excluded)) == (1186, 888, 601, 35192)
    score = evaluate(nodules.assign(probability=0.9), nodules, scans, excluded, draws=20)
    assert score.cpm == (1, 1, 1)
    assert (score.matched.true_positives, score.matched.false_positives) == (1186, 0)
    on_others = evaluate(excluded.assign(probability=0.9), nodules, scans, excluded, draws=0).matched
    assert on_others.false_positives == 0


def test_real_tables_and_a_guessing_detector_equal_the_script(official):
    nodules, scans, excluded = official
    rng = np.random.default_rng(0)
    near = pd.concat([nodules, excluded.sample(frac=0.2, random_state=0), nodules]).reset_index(drop=True)
    near[detection.XYZ] += rng.normal(0, 3, (len(near), 3))
    near["probability"] = rng.integers(0, 50, len(near)) / 50
    chosen = scans[::6]
    columns = [["scan", *detection.XYZ, last] for last in ("probability", "diameter_mm", "diameter_mm")]
    tables = [table[names] for table, names in zip((near, nodules, excluded), columns, strict=True)]
    steps = [entries_of(*(rows_of(table, scan) for table in tables)) for scan in chosen]
    matched = match(near, nodules, chosen, excluded)
    assert (matched.candidates, matched.ignored, matched.doubles) == tuple(sum(s[k] for s in steps) for k in (1, 2, 3))
    slow = slow_curve([entry for step in steps for entry in step[0]], len(chosen))
    np.testing.assert_allclose(Curve(matched).at(), np.interp(RATES, *slow), atol=1e-12)
    assert 0.2 < detection.cpm(Curve(matched)) < 0.9


def test_the_picture_repeats_its_bytes_whatever_style_is_set(tmp_path):
    import matplotlib

    curves = pd.concat(
        [
            evaluate(MARKS, ANNOTATIONS, SCANS, EXCLUDED, draws=50, system="net").curve,
            evaluate(MARKS[::2], ANNOTATIONS, SCANS, EXCLUDED, draws=50, system="$base_line").froc,
        ]
    )
    froc_plot.draw(curves, tmp_path / "a.png", "test scans, 5$")
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 30}):
        froc_plot.draw(
            curves.sample(frac=1, random_state=0).sort_values("system"), tmp_path / "b.png", "test scans, 5$"
        )
        assert matplotlib.rcParams["font.size"] == 20
    froc_plot.draw(curves.sort_values("system"), tmp_path / "c.png", "test scans, 5$")
    pictures = [(tmp_path / f"{name}.png").read_bytes() for name in "abc"]
    assert pictures[1] == pictures[2]
    assert pictures[0][:8] == b"\x89PNG\r\n\x1a\n"
    assert b"matplotlib" not in pictures[0]


def test_curves_that_cannot_be_drawn_are_one_line(tmp_path):
    curve = evaluate(MARKS, ANNOTATIONS, SCANS, draws=5).froc
    with pytest.raises(DataError, match=r"detector needs a row at each of the rates 0\.125"):
        froc_plot.draw(curve[1:], tmp_path / "a.png")
    with pytest.raises(DataError, match="the table is empty"):
        froc_plot.draw(curve[:0], tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
