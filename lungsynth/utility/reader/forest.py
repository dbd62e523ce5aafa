"""Accuracies with their intervals under each other, and the line of guessing."""

from collections.abc import Sequence
from dataclasses import dataclass

import markupsafe

from lungsynth.utility.reader.rates import Rate

LEFT, WIDTH, PITCH, TOP = 240, 860, 26, 30
RIGHT = WIDTH - 24


@dataclass(frozen=True)
class Line:
    """A name, a word on it, an accuracy, and whether it is ours."""

    name: str
    words: str
    rate: Rate
    ours: bool


def drawn(lines: Sequence[Line]) -> markupsafe.Markup:
    """An SVG of all lines, ours first, published ones after a gap."""
    rows, y, before = [], TOP, True
    for line in lines:
        y += PITCH + (10 if before and not line.ours else 0)
        before = line.ours
        rows.append(_row(line, y))
    height = y + 22
    ticks = markupsafe.Markup("").join(_tick(value, height) for value in (0, 0.25, 0.5, 0.75, 1))
    words = "Accuracy with interval: " + "; ".join(f"{one.name} {one.rate.value:.2f}" for one in lines)
    return markupsafe.Markup('<svg class="forest" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg>').format(
        WIDTH, height, words, ticks, markupsafe.Markup("").join(rows)
    )


def _x(value: float) -> str:
    return f"{LEFT + value * (RIGHT - LEFT):.1f}"


def _row(line: Line, y: int) -> markupsafe.Markup:
    css, rate = "ours" if line.ours else "theirs", line.rate
    return markupsafe.Markup(
        '<text x="0" y="{}">{}</text><text class="soft" x="{}" y="{}" text-anchor="end">{}</text>'
        '<g class="{}"><path d="M{} {}H{}"/><circle cx="{}" cy="{}" r="4.5"/></g>'
    ).format(y + 4, line.name, LEFT - 14, y + 4, line.words, css, _x(rate.low), y, _x(rate.high), _x(rate.value), y)


def _tick(value: float, height: int) -> markupsafe.Markup:
    css, name = ("chance", "guessing .5") if value == 0.5 else ("line", f"{value:g}".removeprefix("0") or "0")
    return markupsafe.Markup(
        '<path class="{}" d="M{} {}V{}"/><text class="soft" x="{}" y="{}" text-anchor="middle">{}</text>'
    ).format(css, _x(value), TOP, height, _x(value), TOP - 10, name)
