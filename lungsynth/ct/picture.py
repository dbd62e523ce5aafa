"""CT images as pictures for people: grey in a window, outlines of masks, and sheets of tiles with titles and captions.

The same images give the same bytes.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage import measure

from lungsynth.ct.window import to_grey

PAPER, INK, SOFT = (11, 13, 17), (245, 245, 245), (150, 158, 170)
GAP, HEAD, LINE, INDENT = 8, 34, 18, 104
"""px between tiles, above a row for its title, below a tile for its caption, and at least before a row's words."""


@dataclass(frozen=True)
class Row:
    """A row of a sheet: title, words beside it, RGB tiles of one size, and a few letters under each or none."""

    title: str
    words: str
    tiles: Sequence[Image.Image]
    captions: Sequence[str] = field(default_factory=tuple)


def stored_png(picture: np.ndarray) -> bytes:
    """A PNG of uint8 or uint16 [h, w], or uint8 [h, w, 3], whose pixels are not compressed: its length tells the size
    alone. No text, time or colour profile is in it."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, format="PNG", compress_level=0)
    return buffer.getvalue()


def outline(mask: np.ndarray) -> list[np.ndarray]:
    """The closed lines round a mask [h, w]: float [n, 2] (x, y) in px, where a pixel k reaches from k to k + 1."""
    return [line[:, ::-1] - 0.5 for line in measure.find_contours(np.pad(mask > 0, 1).astype(float), 0.5)]


def enlarged(hu: np.ndarray, window_hu: tuple[float, float], side_px: int, smooth: bool = True) -> Image.Image:
    """A square image [h, h] in HU as an RGB picture of that side; not smooth: pixels stay squares."""
    how = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    return Image.fromarray(to_grey(hu, window_hu)).resize((side_px, side_px), how).convert("RGB")


def trace(picture: Image.Image, mask: np.ndarray, colour: tuple[int, int, int], width_px: int = 2) -> None:
    """Draw the outline of a mask [h, w] on the picture that was made of an image of the same shape."""
    scale, pen = picture.width / mask.shape[1], ImageDraw.Draw(picture)
    for line in outline(mask):
        pen.line([(x * scale, y * scale) for x, y in line], fill=colour, width=width_px)


def sheet(rows: Sequence[Row], columns: int) -> bytes:
    """PNG bytes of all rows, each under its title and broken after `columns` tiles; all tiles have one size."""
    width, height = next((row.tiles[0].size for row in rows if row.tiles), (0, 0))
    heights = [_height(row, columns, height) for row in rows]
    page = Image.new("RGB", (columns * (width + GAP) + GAP, sum(heights) + GAP), PAPER)
    top = 0
    for row, reach in zip(rows, heights, strict=True):
        _title(ImageDraw.Draw(page), row, top)
        for index, tile in enumerate(row.tiles):
            down, across = divmod(index, columns)
            x, y = GAP + across * (width + GAP), top + HEAD + down * _pitch(row, height)
            page.paste(tile, (x, y))
            if row.captions:
                font = ImageFont.load_default(12)
                ImageDraw.Draw(page).text((x, y + height + 1), row.captions[index], INK, font)
        top += reach
    buffer = io.BytesIO()
    page.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _pitch(row: Row, height: int) -> int:
    """px from one line of tiles to the next."""
    return height + GAP + (LINE if row.captions else 0)


def _height(row: Row, columns: int, height: int) -> int:
    """px from a row's top to the next row's."""
    return HEAD + -(-len(row.tiles) // columns) * _pitch(row, height) - GAP


def _title(pen: ImageDraw.ImageDraw, row: Row, top: int) -> None:
    large, small = ImageFont.load_default(17), ImageFont.load_default(14)
    pen.text((GAP, top + 8), row.title, INK, large)
    indent = max(INDENT, int(pen.textlength(row.title, large)) + 2 * GAP)
    pen.text((GAP + indent, top + 11), row.words, SOFT, small)
