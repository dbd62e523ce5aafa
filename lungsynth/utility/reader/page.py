"""The two pages of a blind test as text: the one that asks, and the one that says what readers saw."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lungsynth.sets.pages import asset, html

TEMPLATES = Path(__file__).parent / "templates"
SOFT_TISSUE_HU = (-160.0, 240.0)


@dataclass(frozen=True)
class Window:
    """The grey scale of CT on the page.

    Attributes:
        range_hu: of the 256 levels of a picture.
        presets_hu: windows that a key goes through; the first is the one of the first look.
    """

    range_hu: tuple[float, float]
    presets_hu: tuple[tuple[float, float], ...]


def window_of_ct(first_hu: tuple[float, float], range_hu: tuple[float, float]) -> Window:
    """The study's window first, then all that the pictures hold, then soft tissue where they hold it."""
    low, high = range_hu
    inside = low <= SOFT_TISSUE_HU[0] and SOFT_TISSUE_HU[1] <= high
    presets = dict.fromkeys([tuple(first_hu), tuple(range_hu), *([SOFT_TISSUE_HU] if inside else [])])
    return Window(tuple(range_hu), tuple(presets))


def page_of_test(
    test: str,
    title: str,
    orientation: Sequence[tuple[str, str]],
    questions: Sequence[tuple[str, str]],
    confidence: bool,
    window: Window | None,
) -> str:
    """The page of a blind test. All that it knows of a question is a number and a picture.

    Args:
        test: id of the test.
        orientation: data address and truth of each picture that is shown first.
        questions: id and data address of each that is asked.
    """
    known = {
        "id": test,
        "confidence": confidence,
        "window": None if window is None else asdict(window),
        "orientation": [{"src": address, "truth": truth} for address, truth in orientation],
        "questions": [{"id": name, "src": address} for name, address in questions],
    }
    return rendered("test.html.j2", title=title, known=known, script=asset(TEMPLATES, "test.js"))


def rendered(name: str, **values: Any) -> str:
    """A template of this room as text, with the style that its pages share."""
    return html(TEMPLATES, name, style=asset(TEMPLATES, "reader.css"), **values)
