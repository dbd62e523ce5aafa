"""The FROC curves of one or several detectors as a picture, in the challenge's axes."""

from fractions import Fraction
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lungsynth.ct.files import whole
from lungsynth.segment.scoring.detection import RATES
from lungsynth.study.errors import DataError

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's: told apart by the colour-blind too."""
DASHES = ("-", "--", "-.", ":")


def draw(curves: pd.DataFrame, path: str | Path, title: str = "") -> None:
    """Draw sensitivity over false positives a scan, 1/8 to 8, with the bootstrap bands and the CPM of each system.

    The same curves give the same bytes: metadata and the user's own style are left out.

    Args:
        curves: system, false_positives_per_scan, sensitivity, low, high; any number of rates of each system, the seven
            official ones among them (`scoring.froc_table`, `luna16.Evaluation.froc` or, smoother, `.curve`).
        path: the .png to be written.
        title: over the picture.

    Raises:
        DataError: no row, or a system lacks one of the seven rates.
    """
    if not len(curves):
        raise DataError("FROC curves: the table is empty; there is nothing to draw")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure = Figure(figsize=(6.4, 4.8), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for number, (system, rows) in enumerate(curves.groupby("system", sort=False)):
            _line(axes, str(system), rows.sort_values("false_positives_per_scan"), number)
        _frame(axes, title)
        with whole(path) as draft:
            figure.savefig(draft, format="png", metadata={"Software": None})


def _line(axes: Axes, system: str, rows: pd.DataFrame, number: int) -> None:
    """One system: its band, its line, and a dot at each of the seven rates."""
    rates, sensitivity = (rows[name].to_numpy(float) for name in ("false_positives_per_scan", "sensitivity"))
    official = np.isin(rates, RATES)
    if official.sum() != len(RATES):
        raise DataError(f"FROC curves: {system} needs a row at each of the rates {', '.join(map(str, RATES))}")
    colour = COLOURS[number % len(COLOURS)]
    low, high = rows["low"].to_numpy(float), rows["high"].to_numpy(float)
    axes.fill_between(rates, low, high, color=colour, alpha=0.18, linewidth=0)
    cpm = sensitivity[official].mean()
    label = f"{system}, CPM {cpm:.3f}" if np.isfinite(cpm) else f"{system}: there is no nodule to find"
    axes.plot(rates, sensitivity, color=colour, linestyle=DASHES[number % len(DASHES)], label=label)
    axes.plot(rates[official], sensitivity[official], "o", color=colour, markersize=4)


def _frame(axes: Axes, title: str) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xlim(RATES[0] / 1.06, RATES[-1] * 1.06)
    axes.set_xticks(RATES, [str(Fraction(rate)) for rate in RATES])
    axes.minorticks_off()
    axes.set_ylim(-0.02, 1.02)
    axes.set_yticks(np.linspace(0, 1, 11))
    axes.set_xlabel("false positives per scan")
    axes.set_ylabel("sensitivity")
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    # Names of systems and titles are the user's words: a dollar sign in them starts no formula.
    legend = axes.legend(loc="best", frameon=True, framealpha=0.9)
    for text in (*legend.get_texts(), axes.set_title(title)):
        text.set_parse_math(False)
