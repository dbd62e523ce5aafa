"""What readers saw: exact intervals, kappa, power, and answers that cannot be right."""

from itertools import pairwise
from math import comb, isnan

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungsynth.ct.files import write_text
from lungsynth.sets.tables import write_csv
from lungsynth.study.errors import DataError
from lungsynth.utility.reader import claims, rates
from lungsynth.utility.reader.agreement import agreement, cohen, fleiss
from lungsynth.utility.reader.answers import read_answers, read_key
from lungsynth.utility.reader.result import ALL, readers_page, readers_table, score, share
from tests.unit.blind_cases import a_test


def tail(n: int, least: int, p: float) -> float:
    """P(X >= least), summed term by term."""
    return sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(least, n + 1))


def bisected(function, target: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < target else (low, middle)
    return low


@pytest.mark.parametrize(("hits", "n"), [(53, 100), (1, 7), (29, 55), (0, 10), (10, 10), (50, 100)])
def test_intervals_are_where_each_tail_of_the_binomial_law_is_half_of_what_is_left(hits, n):
    rate = rates.exact(hits, n, 0.95)
    assert rate.low == pytest.approx(bisected(lambda p: tail(n, hits, p), 0.025) if hits else 0, abs=1e-9)
    high = bisected(lambda p: tail(n, hits + 1, p), 0.975) if hits < n else 1
    assert rate.high == pytest.approx(high, abs=1e-9)


def test_intervals_of_none_and_of_all_have_a_closed_form():
    assert rates.exact(0, 20, 0.9).high == pytest.approx(1 - 0.05 ** (1 / 20))
    assert rates.exact(20, 20, 0.9).low == pytest.approx(0.05 ** (1 / 20))
    assert all(isnan(value) for value in vars(rates.exact(0, 0)).values())


def test_the_table_names_its_positive_class_and_turns_with_it():
    truth = ["real"] * 5 + ["generated"] * 5
    answer = ["real"] * 4 + ["generated"] + ["generated"] * 2 + ["real"] * 3
    found = rates.counted(truth, answer, "generated")
    assert (found.true_positive, found.false_positive, found.false_negative, found.true_negative) == (2, 1, 3, 4)
    values = {name: rate.value for name, rate in found.rates(0.95).items()}
    assert values == pytest.approx(
        {
            "accuracy": 0.6,
            "precision": 2 / 3,
            "recall": 0.4,
            "specificity": 0.8,
            "f1": 2 * (2 / 3) * 0.4 / (2 / 3 + 0.4),
        }
    )
    turned = rates.counted(truth, answer, "real")
    assert turned.rates(0.95)["recall"].value == 0.8 and turned.of("generated", "real") == 3 == found.of(
        "generated", "real"
    )


@given(*[st.integers(0, 40)] * 4)
def test_f1_lies_in_its_interval_and_is_the_harmonic_mean(hit, wrong, missed, passed):
    found = rates.Table("generated", hit, wrong, missed, passed).rates(0.95)
    if hit:
        p, r = found["precision"].value, found["recall"].value
        assert found["f1"].value == pytest.approx(2 * p * r / (p + r))
    if hit + wrong + missed:
        assert found["f1"].low <= found["f1"].value <= found["f1"].high


@pytest.mark.parametrize("n", [1, 5, 6, 19, 40, 100])
def test_guessing_is_refused_exactly_where_the_interval_leaves_it_out(n):
    least = rates.least_right(n)
    for hits in range(n + 1):
        rate = rates.exact(hits, n)
        assert (rate.low > 0.5 or rate.high < 0.5) == (hits >= least or hits <= n - least)


def test_the_power_is_summed_term_by_term():
    assert rates.least_right(100) == 61
    for accuracy in rates.ASSUMED:
        expected = tail(100, 61, accuracy) + tail(100, 61, 1 - accuracy)
        assert rates.power(100, accuracy) == pytest.approx(expected)
    assert rates.power(100, 0.5) == pytest.approx(2 * tail(100, 61, 0.5))
    told = rates.detectable(100)
    assert rates.power(100, told) == pytest.approx(0.8) and told == pytest.approx(0.645, abs=5e-4)


def test_more_pictures_tell_smaller_differences_and_five_tell_none():
    assert all(one > other for one, other in pairwise(rates.detectable(n) for n in (20, 50, 100, 400)))
    assert isnan(rates.detectable(5)) and rates.power(5, 0.99) == 0


def test_kappa_of_two_readers_is_cohen_s():
    one = ["y"] * 25 + ["n"] * 25
    other = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert cohen(one, other) == pytest.approx(0.4)  # (.7 - .5) / (1 - .5)
    assert cohen(one, one) == 1 and isnan(cohen(["y"] * 4, ["y"] * 4))


def test_kappa_of_several_readers_is_fleiss_s():
    counts = [(0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1)]
    counts += [(7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7)]
    answers = np.array([np.repeat(np.arange(5), row) for row in counts])
    assert fleiss(answers) == pytest.approx(0.20993, abs=1e-5)  # its textbook example: P .378, P_e .213


def test_of_two_readers_fleiss_and_cohen_differ_only_by_their_margins():
    one, other = np.array(list("rrgg")), np.array(list("rggr"))
    assert fleiss(np.stack([one, other], axis=1)) == pytest.approx(cohen(one, other)) == pytest.approx(0)


def test_published_counts_make_the_published_accuracies_and_gist_s_three_numbers_do_not_fit():
    assert [claims.right(one) for one in claims.CLAIMS] == [53, 70, 71, 64, 54, 77, 54]
    (gist,) = [one for one in claims.CLAIMS if one.table is None]
    hit = round(0.58 * 50)
    passed = claims.right(gist) - hit
    found = rates.Table("generated", hit, 50 - passed, 50 - hit, passed).rates(0.95)
    assert found["precision"].value == pytest.approx(0.527, abs=5e-4) and "precision .527" in gist.note
    assert "26 real ones" in gist.note and 50 - passed == 26


# Answers of readers


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    folder, test = tmp_path_factory.mktemp("reader"), a_test()
    write_text(folder / "test.html", test.page)
    write_csv(folder / "key.csv", test.key)
    return folder, read_key(folder / "key.csv", folder / "test.html")


def answered(key: pd.DataFrame, name: str, wrong: int = 0, left_open: int = 0) -> pd.DataFrame:
    """A reader's file: the first ones wrong, the last ones open."""
    asked = key[key["part"] == "question"]
    turned = asked["truth"].map({"real": "generated", "generated": "real"})
    right = np.arange(len(asked)) >= wrong
    answer = asked["truth"].where(right, turned).where(np.arange(len(asked)) < len(asked) - left_open, "")
    return pd.DataFrame(
        {"test": asked["test"], "id": asked["id"], "answer": answer, "confidence": 3, "seconds": 2.5, "reader": name}
    )


def put(folder, name: str, table: pd.DataFrame):
    write_csv(folder / name, table)
    return folder / name


def test_readers_are_scored_on_what_they_answered(sealed, tmp_path):
    _, key = sealed
    files = [
        put(tmp_path, "a.csv", answered(key, "Ann", wrong=2)),
        put(tmp_path, "b.csv", answered(key, "Bo", left_open=4)),
    ]
    scored = score(read_answers(files, key), key, "generated", 0.95)
    table = readers_table(scored, 0.95).set_index("reader")
    assert table.loc["Ann", ["asked", "answered", "accuracy"]].tolist() == [10, 10, 0.8]
    assert table.loc["Bo", ["asked", "answered", "accuracy"]].tolist() == [10, 6, 1]
    assert table.loc[ALL, ["asked", "answered"]].tolist() == [20, 16]
    assert table.loc[ALL, "accuracy"] == 14 / 16 and set(table["positive"]) == {"generated"}
    counts = ["true_positive", "false_positive", "false_negative", "true_negative"]
    assert (table[counts].sum(axis=1) == table["answered"]).all()
    assert table.loc["Ann", "power_80"] == rates.power(10, 0.8) and table.loc["Ann", "median_seconds"] == 2.5


def test_agreement_is_told_of_every_pair_and_of_all(sealed, tmp_path):
    _, key = sealed
    files = [put(tmp_path, f"{k}.csv", answered(key, f"R{k}", wrong=3 * k, left_open=k)) for k in range(3)]
    found = agreement(read_answers(files, key)).set_index("readers")
    assert found["pictures"].to_dict() == {"R0 and R1": 9, "R0 and R2": 8, "R1 and R2": 8, "all 3 (Fleiss)": 8}
    assert found.loc["R0 and R1", "agreement"] == pytest.approx(6 / 9)
    assert found.loc["R0 and R1", "kappa"] < 1


def test_the_page_says_what_it_means(sealed, tmp_path):
    _, key = sealed
    files = [
        put(tmp_path, "a.csv", answered(key, "A <b>", wrong=5)),
        put(tmp_path, "b.csv", answered(key, "Bo", left_open=1)),
    ]
    answers = read_answers(files, key)
    scored = score(answers, key, "real", 0.95)
    page = readers_page("Readers", scored, answers, key, 0.95)
    assert "A &lt;b&gt;" in page and "A <b>" not in page
    for words in ("Positive is <b>real</b>", "Bo answered 9 of 10", "GIST", "FLAIR", "too narrow", "Guessing"):
        assert words.lower() in page.lower(), words
    assert "http" not in page.replace("http-equiv", "")


def test_one_reader_has_no_row_of_all(sealed, tmp_path):
    _, key = sealed
    scored = score(read_answers([put(tmp_path, "a.csv", answered(key, "Ann"))], key), key, "generated", 0.95)
    assert [one.name for one in scored] == ["Ann"]


def changed(row: int, **cells):
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table = table.reset_index(drop=True).astype(object)
        for name, value in cells.items():
            table.loc[row, name] = value
        return table

    return change


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (changed(2, id="q999"), r"row 4, id: the test asks no 'q999'; its ids are q001 to q010"),
        (changed(2, id="o001"), r"row 4, id: the test asks no 'o001'"),
        (changed(2, id="q001"), r"row 4, id: Ann answers q001 twice"),
        (changed(0, answer="fake"), r"row 2, answer: 'fake' is neither real nor generated"),
        (changed(1, test="0123456789abcdef"), r"row 3, test: '0123456789abcdef' is another test"),
        (changed(1, reader=""), r"row 3, reader: is empty"),
        (changed(1, confidence=7), r"row 3, confidence: 7 is none of 1 to 5"),
        (changed(1, seconds="long"), r"row 3, seconds: 'long' is not a number"),
        (lambda table: table.assign(answer=""), r"answers no picture"),
        (lambda table: table.drop(columns="answer"), r"column answer is missing"),
    ],
)
def test_an_answer_that_cannot_be_right_is_one_line_with_file_and_row(sealed, tmp_path, change, line):
    _, key = sealed
    path = put(tmp_path, "a.csv", change(answered(key, "Ann")))
    with pytest.raises(DataError, match=line) as error:
        read_answers([path], key)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_reader_with_two_files_is_named_with_both(sealed, tmp_path):
    _, key = sealed
    files = [put(tmp_path, name, answered(key, "Ann")) for name in ("a.csv", "b.csv")]
    with pytest.raises(DataError, match=r"b\.csv: row 2, id: Ann answers q001 twice, also in .*a\.csv"):
        read_answers(files, key)


def test_a_picture_that_is_called_a_table_is_no_table(sealed, tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    with pytest.raises(DataError, match=r"a\.csv: is no UTF-8 text"):
        read_answers([tmp_path / "a.csv"], sealed[1])


def test_answers_without_confidence_and_seconds_and_saved_by_a_spreadsheet_are_read(sealed, tmp_path):
    _, key = sealed
    table = answered(key, "Ann").drop(columns=["confidence", "seconds"])
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + table.to_csv(index=False, lineterminator="\r\n").encode())
    assert len(read_answers([tmp_path / "a.csv"], key)) == 10


def test_a_key_of_another_page_is_refused(sealed, tmp_path):
    folder, _ = sealed
    write_text(tmp_path / "test.html", a_test(seed=9).page)
    with pytest.raises(DataError, match="does not belong to"):
        read_key(folder / "key.csv", tmp_path / "test.html")


@pytest.mark.parametrize(("value", "text"), [(0.53, ".53"), (1, "1"), (0, "0"), (0.999, "1"), (float("nan"), "–")])
def test_shares_are_written_as_the_field_writes_them(value, text):
    assert share(value) == text
