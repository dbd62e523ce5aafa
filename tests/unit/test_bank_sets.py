"""Banks: what is written comes back, in equal bytes, and a damaged file is one line."""

import numpy as np
import pandas as pd
import pytest

from lungsynth.sets import bank
from lungsynth.study.errors import DataError


def make(n=6, seed=0, mm_per_px=1.25, size=8):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "id": [f"n{seed}-{index}" for index in range(n)],
            "patient": [f"{index:03d}" for index in range(n)],
            "diameter_mm": rng.uniform(4, 20, n).round(6),
            "lesions": np.arange(n),
            "source": ["scan", *["w_capsule:2023:1"] * (n - 1)],
        }
    )
    images = rng.integers(-1024, 3071, (n, size, size)).astype(np.int16)
    return bank.ImageSet(images, rng.integers(0, 3, (n, size, size)).astype(np.uint8), mm_per_px, table)


def test_a_bank_comes_back_as_it_was(tmp_path):
    made = make()
    bank.write(tmp_path / "nodules.npz", made)
    back = bank.read(tmp_path / "nodules.npz")
    np.testing.assert_array_equal(back.images, made.images)
    np.testing.assert_array_equal(back.masks, made.masks)
    assert (back.images.dtype, back.masks.dtype, back.mm_per_px) == (np.int16, np.uint8, 1.25)
    assert back.table.to_dict("list") == made.table.to_dict("list")


@pytest.mark.parametrize(("dtype", "shape"), [(np.uint8, (8, 8)), (np.uint8, (8, 8, 3)), (np.uint16, (8, 8))])
def test_grey_levels_and_colours_keep_their_type(tmp_path, dtype, shape):
    images = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (6, *shape), dtype, endpoint=True)
    table = make().table.assign(
        **{"class": ["0", "007", "NA", "a", "", "1e3"], "file": ["1", "2", "NA", "x", "y", "z"]}
    )
    bank.write(tmp_path / "p.npz", bank.ImageSet(images, np.zeros((6, 8, 8), np.uint8), 1.0, table))
    back = bank.read(tmp_path / "p.npz")
    assert (back.images.dtype, back.masks.shape) == (dtype, (6, 8, 8))
    np.testing.assert_array_equal(back.images, images)
    assert back.table.to_dict("list") == table.to_dict("list")
    some = bank.read_rows(tmp_path / "p.npz", [1, 4])
    assert some.images.dtype == dtype
    np.testing.assert_array_equal(some.images, images[[1, 4]])
    np.testing.assert_array_equal(bank.concatenate([back, back]).images, np.concatenate([images, images]))


def test_levels_of_two_types_are_not_joined():
    grey, hu = make(), make()
    levels = bank.ImageSet(grey.images.astype(np.uint16), grey.masks, grey.mm_per_px, grey.table)
    with pytest.raises(DataError, match="cannot be joined"):
        bank.concatenate([levels, hu])


def test_two_writes_give_equal_bytes(tmp_path):
    for folder in ("first", "second"):
        bank.write(tmp_path / folder / "b.npz", make())
    for name in ("b.npz", "b.csv"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_bytes_do_not_depend_on_the_arrays_layout(tmp_path):
    array = np.arange(12, dtype=np.int16).reshape(3, 4)
    bank.write_arrays(tmp_path / "a.npz", b=np.asfortranarray(array), a=array)
    bank.write_arrays(tmp_path / "b.npz", a=array, b=array)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_an_empty_bank_is_a_bank(tmp_path):
    bank.write(tmp_path / "empty.npz", make().take(np.zeros(6, bool)))
    assert len(bank.read(tmp_path / "empty.npz")) == 0


def test_take_keeps_order_and_rows_together():
    made = make()
    taken = made.take(np.array([4, 1]))
    assert list(taken.table["id"]) == ["n0-4", "n0-1"]
    np.testing.assert_array_equal(taken.images, made.images[[4, 1]])
    assert list(made.take(made.table["lesions"].to_numpy() > 3).table["id"]) == ["n0-4", "n0-5"]


def test_concatenate_keeps_the_given_order_and_refuses_other_pixels():
    joined = bank.concatenate([make(2, 1), make(3, 2)])
    assert list(joined.table["id"]) == ["n1-0", "n1-1", "n2-0", "n2-1", "n2-2"]
    assert joined.table.index.tolist() == list(range(5))
    for other in (make(mm_per_px=1.0), make(size=16)):
        with pytest.raises(DataError, match="cannot be joined"):
            bank.concatenate([make(), other])


def test_rows_and_images_must_be_as_many(tmp_path):
    made = make()
    with pytest.raises(ValueError, match="6 images, 6 masks, 5 rows"):
        bank.write(tmp_path / "b.npz", bank.ImageSet(made.images, made.masks, 1.0, made.table.iloc[:5]))
    bank.write(tmp_path / "b.npz", made)
    lines = (tmp_path / "b.csv").read_text().splitlines(keepends=True)
    (tmp_path / "b.csv").write_text("".join(lines[:-1]))
    with pytest.raises(DataError, match=r"6 images but 5 rows"):
        bank.read(tmp_path / "b.npz")


@pytest.mark.parametrize("keep", [0, 1, 200, -30])
def test_a_truncated_file_is_one_line(tmp_path, keep):
    bank.write(tmp_path / "b.npz", make())
    data = (tmp_path / "b.npz").read_bytes()
    (tmp_path / "b.npz").write_bytes(data[:keep])
    with pytest.raises(DataError, match=r"b\.npz"):
        bank.read(tmp_path / "b.npz")


def test_a_flipped_byte_does_not_go_unseen(tmp_path):
    bank.write(tmp_path / "b.npz", make(size=32))
    data = bytearray((tmp_path / "b.npz").read_bytes())
    for place in range(len(data) // 10, len(data) // 2, len(data) // 10):
        damaged = data.copy()
        damaged[place] ^= 0xFF
        (tmp_path / "b.npz").write_bytes(damaged)
        with pytest.raises(DataError, match=r"b\.npz"):
            bank.read(tmp_path / "b.npz")


def test_some_rows_alone_are_those_of_the_whole_and_keep_their_numbers(tmp_path):
    made = make(9)
    bank.write(tmp_path / "b.npz", made)
    for rows in ([0, 1, 8], [4], []):
        part, wanted = bank.read_rows(tmp_path / "b.npz", rows), made.take(rows)
        assert part.images.tobytes() == wanted.images.tobytes() and part.masks.tobytes() == wanted.masks.tobytes()
        assert part.table.index.tolist() == rows and part.table["id"].tolist() == wanted.table["id"].tolist()
        assert (part.images.dtype, part.masks.dtype, part.mm_per_px) == (np.int16, np.uint8, made.mm_per_px)
    small = np.array([5, 8], np.uint8)  # a row's place in bytes lies beyond the type of its number
    assert bank.read_rows(tmp_path / "b.npz", small).images.tobytes() == made.take(small).images.tobytes()
    with pytest.raises(DataError, match="holds 9 images, row 9 is wanted"):
        bank.read_rows(tmp_path / "b.npz", [9])


def test_rows_of_what_is_no_bank_are_refused_as_the_whole_is(tmp_path):
    bank.write_arrays(tmp_path / "other.npz", weights=np.zeros(3))
    bank.write(tmp_path / "b.npz", make())
    (tmp_path / "b.npz").write_bytes((tmp_path / "b.npz").read_bytes()[:-300])
    for name in ("other.npz", "b.npz", "absent.npz"):
        with pytest.raises(DataError, match=name):
            bank.read_rows(tmp_path / name, [1])


def test_nothing_pickled_is_opened(tmp_path):
    np.savez(tmp_path / "p.npz", images=np.array([{"a": 1}], object))
    with pytest.raises(DataError, match="pickle"):
        bank.read_arrays(tmp_path / "p.npz")


def test_other_files_are_no_banks(tmp_path):
    np.save(tmp_path / "plain.npy", np.zeros(3))
    (tmp_path / "plain.npy").rename(tmp_path / "plain.npz")
    bank.write_arrays(tmp_path / "other.npz", weights=np.zeros(3))
    for name in ("plain.npz", "other.npz", "absent.npz"):
        with pytest.raises(DataError, match=name):
            bank.read(tmp_path / name)
