"""Classifiers on real and generated images: one chart and one table of what each learns from each."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lungsynth.report.blocks import Chart, Table, number, table_of
from lungsynth.report.plot import COLOURS, as_svg, canvas, frame, tip

WIDTH, LEFT, ROW = 320, 118, 28
LOOKS = {
    "base": ("real", "real, on real"),
    "gan_train": ("generated", "generated, on real"),
    "gan_test": ("composite", "real, on generated"),
    "combined": ("refined", "both, on real"),
}
"""Colour class of an approach, and what a classifier has learnt from and is tested on."""
NAMES = {"base": "base", "gan_train": "GAN-train", "gan_test": "GAN-test", "combined": "combined"}
CAPTION = (
    "Accuracy of classifiers by what they have learnt from and are tested on: mean over seeds, interval over test "
    "patients (over images, where these are generated). The nearer GAN-train comes to base, the more of what tells the "
    "classes apart is in the generated images. GAN-test under base: they are less true to their class; above it: they "
    "are plainer than real ones. Sets are of equal size; both is twice one of them."
)
SHOWN = {"accuracy": "accuracy", "precision": "precision", "recall": "recall, balanced accuracy", "f1": "F1"}


def chart(summary: pd.DataFrame) -> Chart:
    """The accuracies as dots with intervals.

    Args:
        summary: one row a classifier, approach and metric (utility/classifiers_summary.csv).
    """
    rows = summary[summary["metric"] == "accuracy"].reset_index(drop=True)
    names = dict.fromkeys(rows["approach"])
    legend = [(LOOKS[name][0], NAMES[name], LOOKS[name][1]) for name in names]
    return Chart(accuracies(rows), "Classifiers", CAPTION, legend)


@as_svg
def accuracies(rows: pd.DataFrame) -> tuple[Figure, str]:
    """A line a classifier and approach: columns classifier, approach, mean, low, high, n_test."""
    figure = canvas(WIDTH, ROW * len(rows) + 36)
    axes = frame(figure, LEFT, 6, WIDTH - LEFT - 14, ROW * len(rows))
    ends = rows[["mean", "low", "high"]].to_numpy(float)
    low, high = np.nanmin(ends), np.nanmax(ends)
    pad = 0.08 * (high - low) or 0.05
    axes.set(xlim=(low - pad, high + pad), ylim=(len(rows) - 0.5, -0.5))
    axes.grid(False, axis="y")
    axes.grid(axis="x")
    words = [f"{row.classifier}, {NAMES[row.approach]}" for row in rows.itertuples()]
    axes.set_yticks(range(len(rows)), words)
    axes.tick_params(axis="y", labelcolor=COLOURS["ink"])
    for y, row in enumerate(rows.itertuples()):
        colour = COLOURS[LOOKS[row.approach][0]]
        if np.isfinite([row.low, row.high]).all():
            axes.hlines(y, row.low, row.high, color=colour, alpha=0.75, linewidth=2.5, capstyle="round")
        about = tip(f"{words[y]}: {number(row.mean)}, n {row.n_test}")
        axes.plot(row.mean, y, "o", markersize=10, color=colour, markeredgewidth=0, gid=about)
    return figure, f"Accuracy of {', '.join(words)}, with intervals"


def table(summary: pd.DataFrame) -> Table:
    """One row a classifier and approach: sizes, mean and spread over seeds of each metric, how far base is above it."""
    shown = []
    for (kind, approach), rows in summary.groupby(["classifier", "approach"], sort=False):
        by_metric = rows.set_index("metric")
        first = by_metric.loc["accuracy"]
        row = {"classifier": kind, "approach": NAMES[approach], "learnt from, tested on": LOOKS[approach][1]}
        row |= {name: int(first[name]) for name in ("seeds", "n_train", "n_test")}
        row |= {words: _cell(by_metric.loc[metric]) for metric, words in SHOWN.items()}
        row["base minus this, accuracy"] = _interval(first, "difference", "difference_low", "difference_high")
        shown.append(row | {"symmetric difference": first["symmetric_difference"]})
    return table_of(pd.DataFrame(shown))


def _cell(row: pd.Series) -> str:
    spread = f" ± {number(row['sd'], 2)}" if np.isfinite(row["sd"]) else ""
    return f"{number(row['mean'])}{spread}"


def _interval(row: pd.Series, value: str, low: str, high: str) -> str:
    if not np.isfinite(row[value]):
        return ""
    ends = f" ({number(row[low], 2)} to {number(row[high], 2)})" if np.isfinite(row[low]) else ""
    return f"{number(row[value], 2)}{ends}"
