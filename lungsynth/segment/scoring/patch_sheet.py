"""A picture of nodule windows with what the readers and what the segmenter outlined, the worst above the best."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lungsynth.ct import picture
from lungsynth.ct.files import write_bytes

ZOOM, COLUMNS = 4, 8
WINDOW_HU = (-1100.0, 250.0)
COLOURS = {"readers": (0, 200, 255), "segmenter": (255, 140, 0)}
LEGEND = "blue: readers, orange: segmenter; Dice, diameter, readers"
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
    rows = []
    for title, chosen in (("Worst", order[:count]), ("Best", order[::-1][:count])):
        tiles = [_window(hu[k], masks[k], found[k]) for k in chosen]
        words = [f"{dice[k]:.2f}, {captions[k]}" for k in chosen]
        rows.append(picture.Row(f"{title} {len(chosen)} of {len(hu)}", LEGEND, tiles, words))
    write_bytes(path, picture.sheet(rows, COLUMNS))


def _window(hu: np.ndarray, mask: np.ndarray, found: np.ndarray) -> Image.Image:
    """One window, enlarged pixel by pixel, with both outlines."""
    image = picture.enlarged(hu, WINDOW_HU, ZOOM * hu.shape[-1], smooth=False)
    for what, colour in ((mask, COLOURS["readers"]), (found, COLOURS["segmenter"])):
        picture.trace(image, what, colour)
    return image
