"""The report's charts: losses, distributions, intervals, detection, positions. Each returns an <svg> element."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lungsynth.report.blocks import number
from lungsynth.report.data import Distribution, Training
from lungsynth.report.plot import COLOURS, as_svg, canvas, frame, tip
from lungsynth.report.slopes import Fit, decimal, fits, rows_of
from lungsynth.train.monitor import MEDIAN_POINTS

WIDTH = 320
SPECKS = 600
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


def _look(css: str) -> dict:
    """How a line of a class looks: its colour, and thinner and dashed for what stands in the background."""
    name, _, dashed = css.partition(" ")
    look = {"color": COLOURS[name], "linewidth": 1.4 if name == "other" else 2}
    return look | ({"dashes": (3, 2)} if dashed else {})


def _range(values: np.ndarray, share: float) -> tuple[float, float]:
    """The range of finite values, widened by `share` on both sides (by 1 where all are equal); (0, 1) for none."""
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return 0.0, 1.0
    pad = float(np.ptp(finite)) * share or 1.0
    return float(finite.min()) - pad, float(finite.max()) + pad


def _upright(axes: Axes, x: float, words: str, colour: str, row: int = 0, **look: object) -> None:
    """A line over the frame's height with its words near the top; `row` moves them down."""
    low, high = axes.get_xlim()
    x = min(max(x, low), high)
    axes.axvline(x, color=colour, **look)
    late = x > low + 0.7 * (high - low)
    place, offset = (x, 1), (-5 if late else 5, -10 - 14 * row)
    weight = "normal" if colour == COLOURS["soft"] else "bold"
    side = "right" if late else "left"
    axes.annotate(
        words, place, offset, ("data", "axes fraction"), "offset points", color=colour, ha=side, weight=weight
    )


@as_svg
def losses(training: Training) -> tuple[Figure, str]:
    """A network's losses, one panel each: every point, the running median, the monitor's lines and those it fitted."""
    panel, gap, count, lines = 80, 24, len(training.curves), fits(training)
    figure = canvas(WIDTH, count * (panel + gap) + 26)
    for index, (name, values) in enumerate(training.curves.items()):
        axes = frame(figure, 50, 14 + index * (panel + gap), WIDTH - 64, panel)
        _loss(axes, np.asarray(values, float), training)
        for fit in lines:
            if fit.loss == name:
                _fitted(axes, fit)
        axes.tick_params(labelbottom=index == count - 1)
        axes.set_ylabel(name)
        axes.yaxis.set_label_coords(-38 / (WIDTH - 64), 0.5)
    axes.set_xlabel("point")
    points = max(len(values) for values in training.curves.values())
    return figure, f"Losses of the {training.name} over {points} points. {training.verdict}"


def _loss(axes: Axes, values: np.ndarray, training: Training) -> None:
    """One loss; what lies outside its inner 99 % is drawn at the frame's edge."""
    inner, last = values[np.isfinite(values)], max(len(values) - 1, 1)
    limits = _range(np.quantile(inner, [0.005, 0.995]) if len(inner) else inner, 0.12)
    axes.set(xlim=(0, last), ylim=limits)
    if training.e0 is not None:
        end = last if training.stop is None else training.stop
        axes.axvspan(training.e0, end, color=COLOURS["refined"], alpha=0.1, linewidth=0)
    median = pd.Series(values).rolling(MEDIAN_POINTS, min_periods=1).median()
    for line, look in ((values, {"linewidth": 1.2, "alpha": 0.55}), (median, {"color": COLOURS["generated"]})):
        shown = np.where(np.isfinite(line), np.clip(line, *limits), np.nan)
        axes.plot(shown, **{"color": COLOURS["other"]} | look)
    marks = {"e0": ("soft", 1.2, "--"), "stop": ("refined", 1.8, "-"), "diverged": ("bad", 1.8, "-")}
    for row, (what, (colour, width, style)) in enumerate(marks.items()):
        if (at := getattr(training, what)) is not None:
            _upright(axes, at, f"{what} {at}", COLOURS[colour], row, linewidth=width, linestyle=style)


def _fitted(axes: Axes, fit: Fit) -> None:
    """A fitted line, as far as it lies in the frame: dashed over the whole course, in colour over the stable window."""
    x = np.linspace(fit.start, fit.end, 200)
    look = {"color": COLOURS["refined"], "linewidth": 2}
    if fit.whole:
        look |= {"color": COLOURS["ink"], "linewidth": 1.2, "dashes": (4, 3)}
    axes.plot(x, _inside(fit.slope * x + fit.intercept, axes.get_ylim()), gid=tip(fit.words()), **look)


def _inside(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """NaN where values leave the limits: charts are not clipped."""
    return np.where((values >= limits[0]) & (values <= limits[1]), values, np.nan)


SLOPE_LINES = {
    "whole_slope_g": ("{}, from point 0", "other dashed"),
    "slope_d": ("{}, from e0", "composite"),
    "slope_g": ("{}, from e0", "generated"),
}
"""Columns of the table of slopes, with words for the loss's name and how each is drawn."""


def slope_legend(training: Training) -> list[tuple[str, str, str]]:
    """(class, name, last value) of the lines that `slopes` draws."""
    rows, (g, d) = rows_of(training), training.monitored
    found = []
    for column, (words, css) in SLOPE_LINES.items():
        values = rows[column].dropna()
        if len(values):
            found.append((css, words.format(d if column.endswith("_d") else g), f"at last {decimal(values.iloc[-1])}"))
    return found


@as_svg
def slopes(training: Training) -> tuple[Figure, str]:
    """Slopes of the losses over the point where their fit ends, with an inset round zero (FACTS 5.3).

    The fit's left end stays where it is, at e0 or at point 0. The inset shows thrice the middle size of the
    generator's slopes, since those of the first points are far larger than those by which a run is judged.
    """
    rows, width = rows_of(training), WIDTH - 76
    x, lines = rows["point"].to_numpy(float), {name: rows[name].to_numpy(float) for name in SLOPE_LINES}
    figure = canvas(WIDTH, 230)
    axes = frame(figure, 62, 10, width, 178)
    low, high = _range(np.concatenate(list(lines.values())), 0.06)
    end = max(x[-1], x[0] + 1)
    axes.set(xlim=(x[0], end), ylim=(low, high + 1.1 * (high - low)), xlabel="point", ylabel="slope, loss a point")
    axes.yaxis.set_label_coords(-50 / width, 0.5)
    inset = frame(figure, 62 + 0.3 * width, 16, 0.7 * width - 6, 74)
    inset.patch.set(visible=True, facecolor=COLOURS["panel"])
    inset.spines[:].set(visible=True, color=COLOURS["line"])
    inner = lines["slope_g"] if np.isfinite(lines["slope_g"]).any() else lines["whole_slope_g"]
    near = 3 * float(np.nanmedian(np.abs(inner))) or 1.0
    inset.set(xlim=(x[0], end), ylim=(-near, near))
    inset.tick_params(labelbottom=False, labelsize=10)
    for place in (axes, inset):
        place.axhline(0, color=COLOURS["soft"], linewidth=1)
        for name, (_, css) in SLOPE_LINES.items():
            place.plot(x, _inside(lines[name], place.get_ylim()), **_look(css))
        if training.stop is not None:
            place.axvline(training.stop, color=COLOURS["refined"], linewidth=1.6)
    return figure, f"Slopes of the losses of the {training.name}, with an inset round zero"


@as_svg
def along_training(table: pd.DataFrame, stop: float | None) -> tuple[Figure, str]:
    """FID and KID of a run's states over images shown, against tune images and those learnt from, one panel each.

    Args:
        table: columns images, fid_train, fid_tune, kid_train, kid_tune; stop: images at the monitor's stop.
    """
    panel, gap, width = 96, 26, WIDTH - 76
    figure = canvas(WIDTH, 2 * (panel + gap) + 30)
    x = table["images"].to_numpy(float)
    for index, metric in enumerate(("kid", "fid")):
        lines = {name: table[f"{metric}_{name}"].to_numpy(float) for name in ("tune", "train")}
        axes = frame(figure, 62, 14 + index * (panel + gap), width, panel)
        low, high = _range(np.concatenate(list(lines.values())), 0.12)
        axes.set(xlim=(0, max(x.max() * 1.04, 1)), ylim=(low, high), ylabel=metric.upper())
        axes.yaxis.set_label_coords(-50 / width, 0.5)
        for name, css in (("train", "other dashed"), ("tune", "generated")):
            axes.plot(x, lines[name], marker="o", markersize=5, **_look(css))
        if stop is not None:
            _upright(axes, stop, "stop", COLOURS["refined"], linewidth=1.6)
        axes.tick_params(labelbottom=index == 1)
    axes.set_xlabel("images shown")
    return figure, f"KID and FID of {len(table)} states over the images shown"


@as_svg
def by_count(table: pd.DataFrame) -> tuple[Figure, str]:
    """FID and KID over the number of real pictures learnt from, mean and spread over runs, one line a start.

    Args:
        table: columns count, start, kid, kid_sd, fid, fid_sd.
    """
    panel, gap, width = 96, 26, WIDTH - 76
    figure = canvas(WIDTH, 2 * (panel + gap) + 30)
    most = float(table["count"].max())
    for index, metric in enumerate(("kid", "fid")):
        mean, spread = table[metric].to_numpy(float), table[f"{metric}_sd"].fillna(0).to_numpy(float)
        axes = frame(figure, 62, 14 + index * (panel + gap), width, panel)
        axes.set(xlim=(0, 1.06 * most), ylim=_range(np.r_[mean - spread, mean + spread], 0.12), ylabel=metric.upper())
        axes.yaxis.set_label_coords(-50 / width, 0.5)
        for css, (_, rows) in zip(("generated", "refined"), table.groupby("start", sort=False), strict=False):
            look = _look(css)
            axes.errorbar(rows["count"], rows[metric], rows[f"{metric}_sd"].fillna(0), marker="o", markersize=5, **look)
        axes.tick_params(labelbottom=index == 1)
    axes.set_xlabel("real pictures learnt from")
    return figure, f"KID and FID over {len(table)} numbers of real pictures"


@as_svg
def histograms(distribution: Distribution) -> tuple[Figure, str]:
    """Real as a filled outline, the other sets as lines; shares of each set in common bins, over the inner 99 %."""
    sets = {"real": distribution.real} | distribution.others
    low, high = np.quantile(np.concatenate([np.asarray(v, float) for v in sets.values()]), [0.005, 0.995])
    bins = int(np.clip(2 * np.sqrt(len(distribution.real)), 10, 24))
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    figure = canvas(WIDTH, 190)
    axes = frame(figure, 14, 14, WIDTH - 28, 136)
    axes.set(xlim=(edges[0], edges[-1]), yticks=[])
    axes.set_xlabel(f"{distribution.name}, {distribution.unit}" if distribution.unit else distribution.name)
    if distribution.band:
        band = np.clip(distribution.band, edges[0], edges[-1])
        axes.axvspan(*band, color=COLOURS["refined"], alpha=0.1, linewidth=0)
    classes = ["real", *set_classes(list(distribution.others))]
    for css, (name, values) in zip(classes, sets.items(), strict=True):
        share = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values)
        xs, ys = np.repeat(edges, 2), np.concatenate([[0], np.repeat(share, 2), [0]])
        if name == "real":
            axes.fill(xs, ys, color=COLOURS["real"], alpha=0.16, linewidth=0)
        axes.plot(xs, ys, **_look(css))
    axes.set_ylim(0, 1.12 * axes.dataLim.ymax)
    for row, (name, at) in enumerate(distribution.lines.items()):
        _upright(axes, at, name, COLOURS["bad"], row, linewidth=1.6)
    return figure, f"Histogram of {distribution.name}: " + ", ".join(f"{k} (n {len(v)})" for k, v in sets.items())


@as_svg
def intervals(rows: pd.DataFrame, metric: str) -> tuple[Figure, str]:
    """Dots with intervals, one line a set, and the floor as a tick; `rows` are those of one metric and extractor.

    Columns: set, value, low, high, floor, n_set. Values that are missing leave their line empty.
    """
    figure = canvas(WIDTH, 28 * len(rows) + 36)
    axes = frame(figure, 86, 6, WIDTH - 100, 28 * len(rows))
    limits = _range(rows[["value", "low", "high", "floor"]].to_numpy(float), 0.08)
    axes.set(xlim=limits, ylim=(len(rows) - 0.5, -0.5))
    axes.grid(False, axis="y")
    axes.grid(axis="x")
    axes.set_yticks(range(len(rows)), [str(name).replace("_", " ") for name in rows.set])
    axes.tick_params(axis="y", labelcolor=COLOURS["ink"], labelsize=12.5)
    for y, row in enumerate(rows.itertuples()):
        colour = COLOURS[css_of(row.set)]
        if np.isfinite(row.floor):
            axes.vlines(row.floor, y - 0.36, y + 0.36, color=COLOURS["ink"], alpha=0.55, linewidth=1.6)
        if np.isfinite(row.low) and np.isfinite(row.high):
            axes.hlines(y, row.low, row.high, color=colour, alpha=0.75, linewidth=2.5, capstyle="round")
        if np.isfinite(row.value):
            words = tip(f"{row.set}: {number(row.value)}, n {row.n_set}")
            axes.plot(row.value, y, "o", markersize=10, color=colour, markeredgewidth=0, gid=words)
    return figure, f"{metric} of {', '.join(map(str, rows.set))}, with intervals and floors"


@as_svg
def froc(table: pd.DataFrame, point: tuple[float, float] | None) -> tuple[Figure, str]:
    """Sensitivity over false positives a scan, one line a system; `point` is the operating point."""
    figure = canvas(WIDTH, 210)
    axes = frame(figure, 44, 14, WIDTH - 58, 156)
    most = float(min(max(table.false_positives_per_scan.max(), 1), 16))
    axes.set(xlim=(0, most), ylim=(0, 1.02), xlabel="false positives a scan", ylabel="sensitivity")
    axes.yaxis.set_label_coords(-32 / (WIDTH - 58), 0.5)
    for index, (system, rows) in enumerate(table.groupby("system", sort=False)):
        rows = rows[rows.false_positives_per_scan <= most].sort_values(["false_positives_per_scan", "sensitivity"])
        axes.plot(rows.false_positives_per_scan, rows.sensitivity, **_look("other dashed" if index else "generated"))
        if len(rows):
            end = tuple(rows.iloc[-1][["false_positives_per_scan", "sensitivity"]])
            axes.annotate(str(system), end, (0, 8), textcoords="offset points", ha="right")
    if point:
        words = tip(f"{point[1]:.2f} at {point[0]:.1f} a scan")
        axes.plot(*point, "o", markersize=12, color=COLOURS["generated"], markeredgewidth=0, gid=words)
        axes.annotate("operating point", point, (10, -16), textcoords="offset points")
    return figure, "Sensitivity over false positives a scan"


@as_svg
def position(real: np.ndarray, generated: np.ndarray) -> tuple[Figure, str]:
    """Two maps of positions (u, v) [n, 2] in the box of a lung, real and placed; u to the right, v to the back."""
    size, gap = 148, 16
    figure = canvas(2 * size + gap + 8, size + 30)
    for index, (name, points) in enumerate((("real", real), ("placed", generated))):
        axes = frame(figure, 4 + index * (size + gap), 24, size, size)
        axes.set(xlim=(0, 1), ylim=(1, 0), xticks=[], yticks=[])
        axes.set_title(f"{name}, n {len(points)}", pad=6)
        axes.spines[:].set(visible=True, color=COLOURS["line"])
        u, v = np.clip(np.asarray(points, float)[:SPECKS], 0, 1).T
        axes.plot(u, v, "o", markersize=5.2, color=COLOURS[css_of(name)], alpha=0.55, markeredgewidth=0)
    return figure, "Where nodules lie in the box of a lung"
