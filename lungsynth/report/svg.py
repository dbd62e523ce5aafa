"""A small SVG plotting kit: axes, marks, nice ticks. Colours are CSS classes, so that a chart follows the page's theme.

The text of a chart depends on its numbers alone: coordinates have one digit, nothing carries a time or an id.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

MINUS = "\N{MINUS SIGN}"


def number(value: float | None, digits: int = 3) -> str:
    """A number for people: `digits` significant digits, a true minus sign, no exponent between 1e-4 and 1e6."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == int(value) and abs(value) < 1e6:
        text = f"{int(value)}"
    else:
        text = f"{value:.{digits}g}"
        if "e" in text and 1e-4 <= abs(value) < 1e6:
            text = f"{value:.0f}"
    return text.replace("-", MINUS)


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten) within [low, high], about `count` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 10) + 0.0 for k in range(first, last + 1)]


def padded(values: Sequence[float] | np.ndarray, share: float = 0.06) -> tuple[float, float]:
    """The range of finite values, widened by `share` on both sides (by 1 where all are equal); (0, 1) for none."""
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    pad = (high - low) * share or 1.0
    return low - pad, high + pad


@dataclass
class Axes:
    """A plot in the making: data range, size in px, margins, and the marks so far.

    Marks take a CSS class: one of the sets (real, generated, normal, composite, refined, other) or a role (grid, note).
    """

    x: tuple[float, float]
    y: tuple[float, float]
    width: int = 320
    height: int = 210
    left: int = 40
    right: int = 14
    top: int = 14
    bottom: int = 40
    marks: list[str] = field(default_factory=list)

    def px(self, x: float) -> float:
        """Data to px, horizontally; clipped to the frame."""
        share = (x - self.x[0]) / (self.x[1] - self.x[0])
        return self.left + min(max(share, -0.01), 1.01) * (self.width - self.left - self.right)

    def py(self, y: float) -> float:
        """Data to px, vertically; clipped to the frame."""
        share = (y - self.y[0]) / (self.y[1] - self.y[0])
        return self.height - self.bottom - min(max(share, -0.01), 1.01) * (self.height - self.top - self.bottom)

    @property
    def floor(self) -> float:
        """px of the lower edge of the frame."""
        return self.height - self.bottom

    def path(self, xs: Sequence[float], ys: Sequence[float], css: str, closed: bool = False) -> None:
        """A line through the finite points, or a filled shape."""
        points = [f"{self.px(x):.1f},{self.py(y):.1f}" for x, y in zip(xs, ys, strict=True) if math.isfinite(y)]
        if points:
            self.marks.append(f'<path class="{css}" d="M{"L".join(points)}{"Z" if closed else ""}"/>')

    def dot(self, x: float, y: float, css: str, radius: float = 4, title: str = "") -> None:
        """A round mark with a tooltip."""
        tip = f"<title>{escape(title)}</title>" if title else ""
        self.marks.append(
            f'<circle class="{css}" cx="{self.px(x):.1f}" cy="{self.py(y):.1f}" r="{radius:g}">{tip}</circle>'
        )

    def vertical(self, x: float, css: str, label: str = "", row: int = 0) -> None:
        """A vertical line over the frame's height, with a label near its top; `row` moves the label down."""
        at = self.px(x)
        self.marks.append(f'<path class="{css}" d="M{at:.1f},{self.top}V{self.floor}"/>')
        if label:
            late = at > self.left + 0.7 * (self.width - self.left - self.right)
            anchor, shift = ("end", -5) if late else ("start", 5)
            self.text(at + shift, self.top + 10 + 14 * row, label, f"note {css}-text", anchor)

    def band(self, low: float, high: float, css: str = "band") -> None:
        """A shaded range of x over the frame's height."""
        a, b = self.px(low), self.px(high)
        height = self.floor - self.top
        self.marks.append(f'<rect class="{css}" x="{a:.1f}" y="{self.top}" width="{b - a:.1f}" height="{height}"/>')

    def text(self, x: float, y: float, words: str, css: str = "note", anchor: str = "start") -> None:
        """Words at a place in px."""
        self.marks.append(f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>')

    def ticks(self, x_label: str = "", y_label: str = "", y_ticks: bool = True, x_ticks: bool = True) -> None:
        """Grid lines, tick labels and axis titles; call it first, so that marks lie above."""
        if y_ticks:
            for value in nice_ticks(*self.y, 4):
                at = self.py(value)
                self.marks.append(f'<path class="grid" d="M{self.left},{at:.1f}H{self.width - self.right}"/>')
                self.text(self.left - 7, at + 4, number(value), "tick", "end")
        if x_ticks:
            for value in nice_ticks(*self.x, 5):
                self.text(self.px(value), self.floor + 16, number(value), "tick", "middle")
        self.marks.append(f'<path class="axis" d="M{self.left},{self.floor}H{self.width - self.right}"/>')
        if x_label:
            self.text((self.left + self.width - self.right) / 2, self.height - 6, x_label, "label", "middle")
        if y_label:
            x, y = 9, (self.top + self.floor) / 2
            self.marks.append(
                f'<text class="label" transform="rotate(-90 {x} {y:.1f})" x="{x}" y="{y:.1f}" '
                f'text-anchor="middle">{escape(y_label)}</text>'
            )

    def render(self, alt: str) -> str:
        """The chart as an <svg> element; `alt` is what a screen reader says."""
        return drawing(self.width, self.height, "".join(self.marks), alt, "chart")


def drawing(width: float, height: float, body: str, alt: str, css: str, more: str = "") -> str:
    """An <svg> element with a spoken name; `more` are further attributes."""
    return (
        f'<svg class="{css}" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(alt, quote=True)}" '
        f'xmlns="http://www.w3.org/2000/svg"{more}>{body}</svg>'
    )


def stack(charts: list[Axes], alt: str) -> str:
    """Several axes of one width, one under the other, as one drawing."""
    body, at = [], 0
    for chart in charts:
        body.append(f'<g transform="translate(0 {at})">{"".join(chart.marks)}</g>')
        at += chart.height
    return drawing(charts[0].width, at, "".join(body), alt, "chart")
