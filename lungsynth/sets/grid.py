"""The grid and the grey scale of what a generator draws, as recipes state them."""

from typing import Any

from lungsynth.study.stages.banks import Banks
from lungsynth.study.stages.cohort import Image


def grid_of(banks: Banks, image: Image, target: str) -> dict[str, Any]:
    """Size, pixel and window of what a target's generator draws; of pictures size, grey levels and channels."""
    if target == "pictures":
        return {
            "size_px": image.size_px,
            "levels": [int(level) for level in image.window_hu],
            "channels": image.channels,
        }
    size, pixel = (banks.nodule_px, banks.mm_per_px) if target == "nodules" else (image.size_px, image.mm_per_px)
    return {"size_px": size, "mm_per_px": pixel, "window_hu": list(image.window_hu)}


def in_words(grid: dict[str, Any]) -> str:
    """The same as a part of a sentence."""
    if "levels" in grid:
        low, high = grid["levels"]
        return f"{grid['size_px']} px in {'colour' if grid['channels'] == 3 else 'grey'}, levels {low} to {high}"
    low, high = grid["window_hu"]
    return f"{grid['size_px']} px of {grid['mm_per_px']:g} mm in the window {low:g} to {high:g} HU"
