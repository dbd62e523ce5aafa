"""Pictures of CT for people: outlines lie on the pixels' edges, sheets hold every tile, and bytes repeat."""

import io

import numpy as np
import pytest
from PIL import Image

from lungsynth.ct import picture
from lungsynth.segment.scoring import patch_sheet

WINDOW = (-1000.0, 400.0)


def opened(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_an_outline_surrounds_its_pixels_from_edge_to_edge():
    mask = np.zeros((8, 9), np.uint8)
    mask[2:4, 3:7] = 1
    (line,) = picture.outline(mask)
    assert line.min(0) == pytest.approx((3, 2)) and line.max(0) == pytest.approx((7, 4))
    assert np.array_equal(line[0], line[-1]) and picture.outline(mask * 0) == []


def test_a_mask_at_the_border_is_outlined_too():
    (line,) = picture.outline(np.ones((4, 4), bool))
    assert line.min() == pytest.approx(0) and line.max() == pytest.approx(4)


def test_pixels_stay_squares_where_nothing_is_smoothed():
    hu = np.array([[-1000, 400], [400, -1000]], np.int16)
    grey = np.asarray(picture.enlarged(hu, WINDOW, 8, smooth=False))
    assert (grey[:4, :4] == 0).all() and (grey[:4, 4:] == 255).all() and grey.shape == (8, 8, 3)


def test_a_trace_is_drawn_round_the_mask_in_its_colour_alone():
    mask = np.zeros((10, 10), bool)
    mask[4:6, 4:6] = True
    tile = picture.enlarged(np.full((10, 10), -1000, np.int16), WINDOW, 40)
    picture.trace(tile, mask, (0, 200, 255), 1)
    drawn = np.asarray(tile)
    rows, columns = np.nonzero(drawn.any(-1))
    assert {tuple(colour) for colour in drawn[rows, columns]} == {(0, 200, 255)}
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16, 24, 16, 24)


def tiles(count: int) -> list[Image.Image]:
    return [Image.new("RGB", (20, 20), (0, 1 + k, 0)) for k in range(count)]


@pytest.mark.parametrize("captions", [(), ("a", "b", "c", "d", "e")])
def test_every_tile_of_every_row_is_on_the_sheet_once(captions):
    rows = [picture.Row("One", "words", tiles(5), captions), picture.Row("Two", "", tiles(2), captions[:2])]
    shown = opened(picture.sheet(rows, 3))
    green = shown[(shown[..., 0] == 0) & (shown[..., 2] == 0)][:, 1]
    assert np.bincount(green).tolist() == [0, 800, 800, 400, 400, 400]


def test_a_sheet_of_nothing_is_a_picture_and_the_same_rows_give_the_same_bytes():
    assert opened(picture.sheet([picture.Row("None", "", [])], 4)).size
    rows = [picture.Row("One", "words", tiles(3))]
    assert picture.sheet(rows, 2) == picture.sheet(rows, 2)


def test_the_sheet_of_patches_shows_the_worst_above_the_best(tmp_path):
    hu = np.full((6, 48, 48), -1000, np.int16)
    hu += (np.arange(6, dtype=np.int16) * 100)[:, None, None]
    masks = np.zeros(hu.shape, np.uint8)
    masks[:, 20:28, 20:28] = 1
    dice = np.array([0.9, 0.1, 0.5, 0.8, 0.2, 0.7])
    patch_sheet.draw(tmp_path / "sheet.png", hu, masks, masks > 0, dice, ["x"] * 6, count=2)
    shown = opened((tmp_path / "sheet.png").read_bytes())
    greys = [np.asarray(picture.enlarged(one, patch_sheet.WINDOW_HU, 4))[0, 0, 0] for one in hu]
    side, pitch = 4 * 48 + 8, picture.HEAD + 4 * 48 + picture.LINE
    corners = [shown[picture.HEAD + row * pitch + 5, 13 + column * side, 0] for row in (0, 1) for column in (0, 1)]
    assert corners == [greys[1], greys[4], greys[0], greys[3]]
