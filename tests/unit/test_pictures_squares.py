"""Pictures become equal squares: where things lie, how bright they are, and that nothing aliases or swings over."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_samples import fill, levels, save
from PIL import Image

from lungsynth.cohort.pictures.listing import list_pictures
from lungsynth.cohort.pictures.squares import cut, read_all, read_square, square
from lungsynth.sets import bank
from lungsynth.study.errors import DataError
from lungsynth.study.stages.pictures import Pictures


def of(size=64, **own):
    return Pictures(path="p", size_px=size, **own)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_a_square_of_the_size_stays_as_it_is(bits, fit):
    picture = levels((64, 64), bits)
    assert np.array_equal(square(picture, of(fit=fit, bits=bits)), picture)


def test_crop_takes_the_middle():
    wide = levels((64, 101))
    assert np.array_equal(square(wide, of()), wide[:, 18:82])
    assert np.array_equal(square(wide.T, of()), wide.T[18:82])


def test_pad_keeps_all_of_it_between_black():
    wide = np.full((32, 64), 200, np.uint8)
    made = square(wide, of(fit="pad"))
    assert (made[:16] == 0).all()
    assert (made[16:48] == 200).all()
    assert (made[48:] == 0).all()
    assert np.array_equal(square(wide.T, of(fit="pad")), made.T)


@pytest.mark.parametrize("shape", [(200, 333), (333, 200), (31, 64), (1, 100), (500, 500)])
def test_padding_afterwards_gives_what_padding_first_gives(shape):
    """Against Pillow on the padded square as a whole."""
    picture = levels(shape, seed=3)
    side = max(shape)
    above, left = ((side - n) // 2 for n in shape)
    whole = np.zeros((side, side), np.float32)
    whole[above : above + shape[0], left : left + shape[1]] = picture
    expected = np.asarray(Image.fromarray(whole).resize((64, 64), Image.Resampling.BICUBIC))
    assert np.abs(square(picture, of(fit="pad")) - np.clip(expected, 0, 255)).max() <= 0.51


@pytest.mark.parametrize("shape", [(300, 480), (480, 300), (100, 100)])
@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_a_mark_keeps_its_place(shape, fit):
    picture = np.zeros(shape, np.uint8)
    at = np.array(shape) // 2 + (20, -31)
    picture[at[0] - 6 : at[0] + 7, at[1] - 6 : at[1] + 7] = 255
    made = square(picture, of(fit=fit)).astype(float)
    centre = [(np.indices(made.shape)[axis] * made).sum() / made.sum() for axis in (0, 1)]
    side = (min if fit == "crop" else max)(shape)
    first = [(n - side) // 2 if fit == "crop" else -((side - n) // 2) for n in shape]
    expected = [(at[axis] + 0.5 - first[axis]) * 64 / side - 0.5 for axis in (0, 1)]
    assert centre == pytest.approx(expected, abs=0.05)


def test_fine_stripes_become_their_mean_and_no_coarse_ones():
    stripes = np.tile(np.array([0, 255], np.uint8), (512, 256))
    made = square(stripes, of())
    assert np.abs(made[4:-4, 4:-4] - 127.5).max() < 3


@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.uint16, 16)])
def test_nothing_swings_over_the_range(dtype, bits):
    """A white square on black, made larger: cubic overshoot would wrap round in whole numbers."""
    top = np.iinfo(dtype).max
    picture = np.zeros((32, 32), dtype)
    picture[8:24, 8:24] = top
    made = square(picture, of(128, bits=bits))
    assert made.dtype == dtype
    assert made[56:72, 56:72].min() == top
    assert made[:20].max() == 0


@given(st.integers(20, 300), st.integers(20, 300), st.sampled_from(["crop", "pad"]), st.sampled_from([8, 16]))
def test_every_shape_gives_the_square_and_its_mean(rows, columns, fit, bits):
    value = 3 * 2**bits // 4
    picture = np.full((rows, columns), value, np.uint8 if bits == 8 else np.uint16)
    made = square(picture, of(fit=fit, bits=bits))
    assert made.shape == (64, 64)
    share = 1 if fit == "crop" else min(rows, columns) / max(rows, columns)
    assert made.mean() == pytest.approx(value * share, rel=0.02)


def test_colours_are_resized_each_by_itself():
    colour = np.dstack([levels(seed=k) for k in range(3)])
    made = square(colour, of(colour="keep"))
    assert made.shape == (64, 64, 3)
    for k in range(3):
        assert np.array_equal(made[..., k], square(colour[..., k], of()))


@pytest.mark.parametrize("turn", [1, 2, 3, 4, 5, 6, 7, 8])
def test_a_camera_on_its_side_is_obeyed(tmp_path, turn):
    """The eight orientations of EXIF: each file is stored so that it shows the same picture."""
    shown = np.zeros((64, 64), np.uint8)
    shown[:32, :32], shown[:32, 32:], shown[32:, :32] = 250, 150, 80
    stored = {
        1: shown,
        2: shown[:, ::-1],
        3: shown[::-1, ::-1],
        4: shown[::-1],
        5: shown.T,
        6: np.rot90(shown),
        7: shown[::-1, ::-1].T,
        8: np.rot90(shown, -1),
    }[turn]
    root = fill(tmp_path / "p")
    exif = Image.Exif()
    exif[0x0112] = turn
    save(root / "ill" / "x.jpg", np.ascontiguousarray(stored), exif=exif, quality=95)
    table = list_pictures(root, of(), 1).table
    row = table[table["file"] == "ill/x.jpg"]
    assert np.abs(read_all(root, row, of())[0].astype(int) - shown)[4:28, 4:60].max() < 12
    assert np.abs(read_all(root, row, of())[0].astype(int) - shown)[36:60, 4:60].max() < 12


def test_a_row_is_read_as_all_are(tmp_path):
    root = fill(tmp_path / "p", bits=16, shape=(100, 70))
    settings = of(bits=16)
    table = list_pictures(root, settings, 1).table
    squares = read_all(root, table, settings)
    assert (squares.shape, squares.dtype) == ((12, 64, 64), np.uint16)
    for place, row in enumerate(table.to_dict("records")):
        assert np.array_equal(read_square(root, row, settings), squares[place])


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: save(path, levels(seed=77))])
def test_a_picture_that_was_changed_since_is_named(tmp_path, change):
    root = fill(tmp_path / "p")
    table = list_pictures(root, of(), 1).table
    change(root / "ill" / "3.png")
    with pytest.raises(DataError, match=r"ill/3\.png was changed or removed after it was listed"):
        read_all(root, table, of())


def test_a_bank_of_squares_comes_back_with_its_rows(tmp_path):
    root = fill(tmp_path / "p", shape=(100, 70))
    listed = list_pictures(root, of(), 1).table
    bank.write(tmp_path / "b.npz", cut(root, listed[listed["role"] == "fit"], of()))
    made = bank.read(tmp_path / "b.npz")
    assert list(made.table) == ["id", "patient", "scan", "class", "file", "source"]
    assert (made.images.shape, made.images.dtype, made.mm_per_px) == ((len(made), 64, 64), np.uint8, 1.0)
    assert (made.masks.shape, made.masks.max()) == ((len(made), 64, 64), 0)
    for image, row in zip(made.images, made.table.to_dict("records"), strict=True):
        assert np.array_equal(image, square(np.asarray(Image.open(root / row["file"])), of()))
    assert set(made.table["source"]) == {"scan"}
    assert set(made.table["scan"]) == {""}
    assert set(made.table["class"]) == {"normal", "ill"}
