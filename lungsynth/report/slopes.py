"""The lines that the monitor has fitted to the losses (FACTS 5.3), as the page shows them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lungsynth.report.blocks import MINUS
from lungsynth.report.data import Training
from lungsynth.train.monitor import SHORT_RUN

PARTS = ("g", "d")


def decimal(value: float) -> str:
    """A slope or an intercept with the five decimals of the paper."""
    return f"{value:.5f}".replace("-", MINUS)


@dataclass(frozen=True)
class Fit:
    """A line over points of a loss, the first and the last included.

    Attributes:
        whole: it is over all points; else over the stable window.
        slope: loss a point; intercept: loss at point 0.
    """

    loss: str
    whole: bool
    start: int
    end: int
    slope: float
    intercept: float

    def words(self) -> str:
        """As the paper writes it: 0.00160x + 3.01457 (155 to 499)."""
        sign = MINUS if self.intercept < 0 else "+"
        line = f"{decimal(self.slope)}x {sign} {decimal(abs(self.intercept))}"
        return f"{line} ({self.start} to {self.end})"


def rows_of(training: Training) -> pd.DataFrame | None:
    """The looks of a run that is watched and long enough to be judged; None for others."""
    points = max(map(len, training.curves.values()), default=0)
    if points < SHORT_RUN or len(training.monitored) != len(PARTS) or training.slopes is None:
        return None
    return training.slopes if len(training.slopes) else None


def fits(training: Training) -> list[Fit]:
    """The lines over the whole course and, where one was found, over the stable window, of both losses."""
    rows = rows_of(training)
    if rows is None:
        return []
    last, at_stop, found = rows.iloc[-1], rows[rows["point"] == training.stop], []
    for loss, part in zip(training.monitored, PARTS, strict=True):
        line = last[f"whole_slope_{part}"], last[f"whole_intercept_{part}"]
        found.append(Fit(loss, True, 0, int(last["point"]), *map(float, line)))
        if len(at_stop) and pd.notna(at_stop["e0"].iloc[0]):
            row = at_stop.iloc[0]
            line = row[f"slope_{part}"], row[f"intercept_{part}"]
            found.append(Fit(loss, False, int(row["e0"]), int(row["point"]), *map(float, line)))
    return [fit for fit in found if np.isfinite([fit.slope, fit.intercept]).all()]


def words(training: Training) -> str:
    """All lines in one sentence; "" for none."""
    lines = fits(training)
    losses = dict.fromkeys(fit.loss for fit in lines)
    parts = [f"{loss} " + ", ".join(fit.words() for fit in lines if fit.loss == loss) for loss in losses]
    return f"Lines: {'; '.join(parts)}." if parts else ""
