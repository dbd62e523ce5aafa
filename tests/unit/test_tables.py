"""Tables: identifiers stay text, numbers come back, equal rows give equal bytes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lungsynth.sets import tables
from lungsynth.study.errors import DataError

NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f\x85"), max_size=12)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(NAMES, st.floats(-1e6, 1e6, allow_subnormal=False)), min_size=1, max_size=6))
def test_identifiers_come_back_letter_by_letter_and_numbers_to_nine_digits(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("tables") / "t.csv"
    table = pd.DataFrame({"patient": [row[0] for row in rows], "x_mm": [row[1] for row in rows]})
    tables.write_csv(path, table)
    back = tables.read_csv(path)
    assert back["patient"].tolist() == table["patient"].tolist()
    np.testing.assert_allclose(back["x_mm"], table["x_mm"], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", ["007", "1e5", "NA", "null", "nan", "True", ""])
def test_a_patient_keeps_a_name_that_looks_like_something_else(tmp_path, name):
    tables.write_csv(tmp_path / "t.csv", pd.DataFrame({"patient": [name, "b"], "x": [1, 2]}))
    assert tables.read_csv(tmp_path / "t.csv")["patient"].tolist() == [name, "b"]


def test_a_mark_of_byte_order_and_windows_line_ends_are_tolerated(tmp_path):
    (tmp_path / "t.csv").write_bytes("\ufeffid,x\r\n01,2\r\n".encode())
    assert tables.read_csv(tmp_path / "t.csv").to_dict("records") == [{"id": "01", "x": 2}]


def test_chosen_rows_of_a_large_table_are_those_of_the_whole_in_its_order(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "ROW_GROUP", 10)
    table = pd.DataFrame({"rank": np.arange(95, dtype=np.uint16), "seed": np.arange(95) + 2**62, "name": "x"})
    tables.write_parquet(tmp_path / "t.parquet", table)
    assert tables.count_rows(tmp_path / "t.parquet") == 95
    for chosen in ([3], [94, 0, 41, 41], np.array([7, 8], np.int32), [], [200]):
        wanted = table[table["rank"].isin(np.asarray(chosen))].reset_index(drop=True)
        pd.testing.assert_frame_equal(tables.read_parquet(tmp_path / "t.parquet", only={"rank": chosen}), wanted)


def test_a_large_table_that_is_missing_or_none_is_one_line(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"no table")
    for name in ("t.parquet", "absent.parquet"):
        for read in (tables.read_parquet, tables.count_rows, lambda path: tables.read_parquet(path, only={"a": [1]})):
            with pytest.raises(DataError, match=name):
                read(tmp_path / name)


def test_lines_end_the_unix_way_and_whole_numbers_stay_whole():
    assert tables.to_csv(pd.DataFrame({"n": [3], "x": [0.1 + 0.2]})) == "n,x\n3,0.3\n"


def test_what_is_no_table_is_one_line(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n1,2,3,4\n")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.csv").mkdir()
    for name in ("empty", "ragged", "bytes", "folder", "absent"):
        with pytest.raises(DataError, match=rf"{name}\.csv"):
            tables.read_csv(tmp_path / f"{name}.csv")


COLUMNS = {"id": "text", "x": "number", "n": "whole number", "r": "number or empty", "f": "flag"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_users_table_is_read_whatever_program_wrote_it(tmp_path, end, mark):
    text = 'other,id,x,n,r,f\n"a,b", 007 ,1e-3,3,,True\n\n,NA, 2 ,4.0,5,0\n'.replace("\n", end)
    (tmp_path / "t.csv").write_bytes((mark + text).encode())
    table = tables.read_users_csv(tmp_path / "t.csv", COLUMNS)
    assert table.index.tolist() == [2, 4]
    assert table[["id", "x", "n", "f"]].values.tolist() == [["007", 0.001, 3, 1], ["NA", 2.0, 4, 0]]
    np.testing.assert_array_equal(table.r, [np.nan, 5])


def test_columns_that_may_be_missing_are_filled_and_read_where_they_are_there(tmp_path):
    (tmp_path / "t.csv").write_text("id,x\nA,1\nB,2\n")
    table = tables.read_users_csv(tmp_path / "t.csv", COLUMNS, {"x": 9, "n": 3, "r": np.nan, "f": 0})
    assert table[["id", "x", "n", "f"]].values.tolist() == [["A", 1, 3, 0], ["B", 2, 3, 0]]
    assert table["r"].isna().all()
    with pytest.raises(DataError, match=r"column n is missing; it needs id, x, n$"):
        tables.read_users_csv(tmp_path / "t.csv", COLUMNS, {"r": np.nan, "f": 0})


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        (b"id;x\n1;2\n", "column id is missing, since the columns are separated by semicolons"),
        (b"id\tx\n1\t2\n", "separated by tabs"),
        (b"id\n1\n", "column x is missing; it needs id, x"),
        (b"id,x,x\n1,2,3\n", "column x is there twice"),
        (b"id,x\n1,2\n1\n", "row 3 has 1 cells where the first row has 2"),
        (b'id,x\n"1,2\n', "cannot be read as a table"),
        (b"id,x\n1,1;5\n", "row 2, x: '1;5' is not a number"),
        (b"id,x\n1,inf\n", "row 2, x: 'inf' is not a number"),
        (b"id,x\n1,\n", "row 2, x: '' is not a number"),
        (b"\n\n", "is empty"),
        ("id,x\n1,2\n".encode("utf-16"), "is no UTF-8 text"),
    ],
)
def test_a_users_table_that_cannot_be_meant_is_one_line(tmp_path, text, pattern):
    (tmp_path / "t.csv").write_bytes(text)
    with pytest.raises(DataError, match=rf"t\.csv: .*{pattern}") as caught:
        tables.read_users_csv(tmp_path / "t.csv", {"id": "text", "x": "number"})
    assert "\n" not in str(caught.value)


def test_parquet_comes_back_and_repeats_its_bytes(tmp_path):
    table = pd.DataFrame({"normal": np.arange(5, dtype=np.uint16), "score": np.linspace(0, 1, 5, dtype=np.float32)})
    for name in ("a", "b"):
        tables.write_parquet(tmp_path / f"{name}.parquet", table)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    pd.testing.assert_frame_equal(tables.read_parquet(tmp_path / "a.parquet"), table)
    (tmp_path / "a.parquet").write_bytes(b"no table")
    for name in ("a", "absent"):
        with pytest.raises(DataError, match=rf"{name}\.parquet"):
            tables.read_parquet(tmp_path / f"{name}.parquet")


def test_json_is_canonical_and_knows_no_nan(tmp_path):
    tables.write_json(tmp_path / "a.json", {"b": 1, "a": [1.5, "µ"]})
    tables.write_json(tmp_path / "b.json", {"a": [1.5, "µ"], "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert tables.read_json(tmp_path / "a.json") == {"a": [1.5, "µ"], "b": 1}
    with pytest.raises(ValueError, match="JSON"):
        tables.write_json(tmp_path / "a.json", {"a": float("nan")})
    assert tables.read_json(tmp_path / "a.json")["b"] == 1
    (tmp_path / "cut.json").write_text('{"a": ')
    for name in ("cut", "absent"):
        with pytest.raises(DataError, match=rf"{name}\.json"):
            tables.read_json(tmp_path / f"{name}.json")
