"""A picture of nodule windows with what the readers and what the segmenter outlined, the worst above the best."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage import measure

from lungsynth.ct.files import write_bytes
from lungsynth.ct.window import to_grey

ZOOM, GAP, COLUMNS, LINE = 4, 8, 8, 16
WINDOW_HU = (-1100.0, 250.0)
COLOURS = {"readers": (0, 200, 255), "segmenter": (255, 140, 0)}
PAPER, INK = (24, 24, 24), (235, 235, 235)
COUNT = 16
"""Windows at each end."""


def ends(dice: np.ndarray, count: int = COUNT) -> np.ndarray:
    """The windows that `draw` shows: those of the lowest Dice, then those of the highest, each once."""
    order = np.argsort(dice, kind="stable")
    return order if len(order) <= 2 * count else np.concatenate([order[:count], order[-count:]])


def draw(
    path: str | Path,
    hu: np.ndarray,
    masks: np.ndarray,
    found: np.ndarray,
    dice: np.ndarray,
    captions: Sequence[str],
    count: int = COUNT,
) -> None:
    """Write a PNG with the `count` windows of the lowest Dice and the `count` of the highest.

    hu: int16 [n, h, h]; masks: 0/1, of the readers; found: bool, of the segmenter, right in the windows of `ends`;
    captions: a few letters each.
    """
    order = np.argsort(dice, kind="stable")
    rows = [("Worst", order[:count]), ("Best", order[::-1][:count])]
    cell = hu.shape[-1] * ZOOM
    lines = [-(-len(chosen) // COLUMNS) for _, chosen in rows]
    height = sum(n * (cell + LINE + GAP) + 2 * LINE for n in lines) + GAP
    sheet = Image.new("RGB", (COLUMNS * (cell + GAP) + GAP, height), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    top = GAP
    for (title, chosen), n in zip(rows, lines, strict=True):
        words = f"{title} {len(chosen)} of {len(hu)}; blue: readers, orange: segmenter; Dice, diameter, readers"
        pen.text((GAP, top), words, INK, font)
        top += 2 * LINE
        for place, k in enumerate(chosen):
            x, y = GAP + place % COLUMNS * (cell + GAP), top + place // COLUMNS * (cell + LINE + GAP)
            sheet.paste(_window(hu[k], masks[k], found[k]), (x, y))
            pen.text((x, y + cell + 1), f"{dice[k]:.2f}, {captions[k]}", INK, font)
        top += n * (cell + LINE + GAP)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    write_bytes(path, buffer.getvalue())


def _window(hu: np.ndarray, mask: np.ndarray, found: np.ndarray) -> Image.Image:
    """One window, enlarged pixel by pixel, with both outlines."""
    grey = np.kron(to_grey(hu, WINDOW_HU), np.ones((ZOOM, ZOOM), np.uint8))
    image = Image.fromarray(grey).convert("RGB")
    pen = ImageDraw.Draw(image)
    for what, colour in ((mask, COLOURS["readers"]), (found, COLOURS["segmenter"])):
        for line in measure.find_contours(np.pad(what > 0, 1).astype(float), 0.5):
            pen.line([((x - 0.5) * ZOOM, (y - 0.5) * ZOOM) for y, x in line], fill=colour, width=2)
    return image
