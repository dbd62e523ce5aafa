"""The report's charts: losses, distributions, intervals, detection, counts. Each returns an <svg> element."""

import re
from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd

from lungsynth.report.data import Counted, Distribution, Training
from lungsynth.report.svg import Axes, drawing, nice_ticks, number, padded, stack

SET_CLASSES = {"real": "real", "normal": "generated", "generated": "generated", "composite": "composite"}
SET_CLASSES |= {"selected": "generated", "placed": "generated", "refined": "refined", "released": "refined"}


def css_of(name: str) -> str:
    """The colour class of a set by the first known word in its name ("real test" -> real); `other` for the rest."""
    words = re.findall(r"[a-z]+", name.lower())
    return next((SET_CLASSES[word.rstrip("s")] for word in words if word.rstrip("s") in SET_CLASSES), "other")


def set_classes(names: Sequence[str]) -> list[str]:
    """The classes of the sets that are held against the real one: the first in colour, the rest grey, then dashed."""
    first = css_of(names[0]) if names else "other"
    return [
        ("generated" if first == "other" else first) if index == 0 else "other" if index == 1 else "other dashed"
        for index, _ in enumerate(names)
    ]


def running_median(values: np.ndarray, width: int = 11) -> np.ndarray:
    """Causal running median, as the monitor looks at a loss."""
    return np.array([np.median(values[max(0, i + 1 - width) : i + 1]) for i in range(len(values))])


def _loss_panel(name: str, values: np.ndarray, training: Training, last: bool) -> Axes:
    inner = values[np.isfinite(values)]
    clipped = np.quantile(inner, [0.005, 0.995]) if len(inner) else []
    axes = Axes(
        (0, max(len(values) - 1, 1)), padded(clipped, 0.12), height=132 if last else 104, bottom=36 if last else 10
    )
    axes.left = 50
    if training.e0 is not None:
        axes.band(training.e0, len(values) - 1 if training.stop is None else training.stop)
    axes.ticks("point" if last else "", name, x_ticks=last)
    axes.path(range(len(values)), values, "thin other")
    axes.path(range(len(values)), running_median(values), "line generated")
    for row, (what, at) in enumerate((("e0", training.e0), ("stop", training.stop), ("diverged", training.diverged))):
        if at is not None:
            axes.vertical(at, f"mark-{what}", f"{what} {at}", row)
    return axes


def losses(training: Training) -> str:
    """A network's losses, one panel each: every point, the running median of 11, and the monitor's lines."""
    names = list(training.curves)
    panels = [
        _loss_panel(name, np.asarray(values, float), training, name == names[-1])
        for name, values in training.curves.items()
    ]
    points = max(len(values) for values in training.curves.values())
    return stack(panels, f"Losses of the {training.name} over {points} points. {training.verdict}")


def distances(distribution: Distribution, other: str) -> tuple[float, float]:
    """(KS statistic, Wasserstein distance in the measure's unit) of a set to the real one."""
    from scipy import stats

    values = distribution.others[other]
    return (
        float(stats.ks_2samp(distribution.real, values).statistic),
        float(stats.wasserstein_distance(distribution.real, values)),
    )


def histograms(distribution: Distribution) -> str:
    """Real as a filled outline, the other sets as lines; shares of each set in common bins, over the inner 99 %."""
    sets = {"real": distribution.real} | distribution.others
    low, high = np.quantile(np.concatenate([np.asarray(v, float) for v in sets.values()]), [0.005, 0.995])
    bins = int(np.clip(2 * np.sqrt(len(distribution.real)), 10, 24))
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    shares = {name: np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0] / len(v) for name, v in sets.items()}
    axes = Axes((edges[0], edges[-1]), (0, 1.12 * max(share.max() for share in shares.values())), height=190, left=14)
    if distribution.band:
        axes.band(*distribution.band)
    axes.ticks(
        f"{distribution.name}, {distribution.unit}" if distribution.unit else distribution.name, "", y_ticks=False
    )
    classes = ["real", *set_classes(list(distribution.others))]
    for css, (name, share) in zip(classes, shares.items(), strict=True):
        xs, ys = np.repeat(edges, 2), np.concatenate([[0], np.repeat(share, 2), [0]])
        if name == "real":
            axes.path(xs, ys, "fill real", closed=True)
        axes.path(xs, ys, f"line {css}")
    for row, (name, at) in enumerate(distribution.lines.items()):
        axes.vertical(at, "mark-bound", name, row)
    return axes.render(f"Histogram of {distribution.name}: " + ", ".join(f"{k} (n {len(v)})" for k, v in sets.items()))


def intervals(rows: pd.DataFrame, metric: str) -> str:
    """Dots with intervals, one line a set, and the floor as a tick; `rows` are those of one metric and extractor.

    Columns: set, value, low, high, floor, n_set. Values that are missing leave their line empty.
    """
    height = 28 * len(rows) + 36
    everything = rows[["value", "low", "high", "floor"]].to_numpy(float)
    axes = Axes(padded(everything, 0.08), (0, len(rows)), height=height, left=86, bottom=30, top=6)
    for value in nice_ticks(*axes.x, 5):
        axes.marks.append(f'<path class="grid" d="M{axes.px(value):.1f},{axes.top}V{axes.floor}"/>')
    axes.ticks("", "", y_ticks=False)
    for index, row in enumerate(rows.itertuples()):
        y, css = len(rows) - index - 0.5, css_of(row.set)
        axes.text(axes.left - 10, axes.py(y) + 4, str(row.set).replace("_", " "), "row", "end")
        if np.isfinite(row.floor):
            at, mid = axes.px(row.floor), axes.py(y)
            axes.marks.append(f'<path class="floor" d="M{at:.1f},{mid - 10:.1f}V{mid + 10:.1f}"/>')
        if np.isfinite(row.low) and np.isfinite(row.high):
            axes.path([row.low, row.high], [y, y], f"whisker {css}")
        if np.isfinite(row.value):
            axes.dot(row.value, y, f"dot {css}", 5, f"{row.set}: {number(row.value)}, n {row.n_set}")
    return axes.render(f"{metric} of {', '.join(map(str, rows.set))}, with intervals and floors")


def froc(table: pd.DataFrame, point: tuple[float, float] | None) -> str:
    """Sensitivity over false positives a scan, one line a system; `point` is the operating point."""
    most = float(min(max(table.false_positives_per_scan.max(), 1), 16))
    axes = Axes((0, most), (0, 1.02))
    axes.ticks("false positives a scan", "sensitivity")
    for index, (system, rows) in enumerate(table.groupby("system", sort=False)):
        rows = rows[rows.false_positives_per_scan <= most].sort_values(["false_positives_per_scan", "sensitivity"])
        css = "generated" if index == 0 else "other dashed"
        axes.path(rows.false_positives_per_scan, rows.sensitivity, f"line {css}")
        if len(rows):
            end = rows.iloc[-1]
            axes.text(axes.px(end.false_positives_per_scan), axes.py(end.sensitivity) - 8, str(system), "note", "end")
    if point:
        axes.dot(*point, "dot generated", 6, f"{point[1]:.2f} at {point[0]:.1f} a scan")
        axes.text(axes.px(point[0]) + 10, axes.py(point[1]) + 16, "operating point", "note")
    return axes.render("Sensitivity over false positives a scan")


def part_classes(counted: Counted) -> list[str]:
    """The colour class of each part: one colour for what stayed (the second paler), another for each reason."""
    seen, classes = {True: 0, False: 0}, []
    for _, _, stayed in counted.parts:
        classes.append(f"kept kept-{min(seen[stayed], 1)}" if stayed else f"lost lost-{seen[stayed] % 4}")
        seen[stayed] += 1
    return classes


def shares(counted: Counted) -> str:
    """One bar cut into what stayed and what fell out, with a line of words for each part."""
    width, total = 900, max(counted.total, 1)
    body, at = [], 0.0
    for css, (reason, count, _) in zip(part_classes(counted), counted.parts, strict=True):
        span = width * count / total
        tip = f"<title>{escape(reason)}: {count}</title>"
        body.append(f'<rect class="{css}" x="{at:.1f}" y="0" width="{max(span - 1.5, 0):.1f}" height="26">{tip}</rect>')
        at += span
    words = ", ".join(f"{reason} {count}" for reason, count, _ in counted.parts)
    more = ' preserveAspectRatio="none"'
    return drawing(width, 26, "".join(body), f"{counted.total} {counted.what}: {words}", "bar", more)


def position(real: np.ndarray, generated: np.ndarray) -> str:
    """Two maps of positions (u, v) [n, 2] in the box of a lung, real and placed; u to the right, v to the back."""
    size, gap, body = 148, 16, []
    for index, (name, css, points) in enumerate((("real", "real", real), ("placed", "generated", generated))):
        left = index * (size + gap) + 4
        body.append(f'<rect class="frame" x="{left}" y="22" width="{size}" height="{size}" rx="10"/>')
        body.append(f'<text class="row" x="{left}" y="14">{name}, n {len(points)}</text>')
        for u, v in np.asarray(points, float)[:600]:
            x, y = left + size * min(max(u, 0), 1), 22 + size * min(max(v, 0), 1)
            body.append(f'<circle class="speck {css}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>')
    return drawing(2 * size + gap + 8, size + 26, "".join(body), "Where nodules lie in the box of a lung", "chart")
