"""The tables of a training: losses, one row a point, a point being the mean over some steps; slopes, one row a look."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lungsynth.ct.files import write_text
from lungsynth.train.monitor import Line, Look

SLOPES = (
    *("point", "step", "e0", "slope_g", "intercept_g", "slope_d", "intercept_d", "late_slope_g"),
    *("whole_slope_g", "whole_intercept_g", "whole_slope_d", "whole_intercept_d"),
)
NO_LINE: Line = (float("nan"), float("nan"))


class LossTable:
    """Collects numbers by column, averages them over points, remembers all points of the training.

    Columns come in the order in which they are first seen; a step may add to a column several times (two critic
    updates), the point is the mean of all.
    """

    def __init__(self, points_every: int):
        self.points_every = points_every
        self.rows: list[dict[str, float]] = []
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._steps = 0

    def add(self, values: dict[str, float]) -> None:
        """Numbers of one update."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1

    def end_step(self) -> dict[str, float] | None:
        """A step is done; returns the point that it completes, or None."""
        self._steps += 1
        if self._steps < self.points_every:
            return None
        self.rows.append({name: total / self._counts[name] for name, total in self._sums.items()})
        self._sums, self._counts, self._steps = {}, {}, 0
        return self.rows[-1]

    def write(self, path: Path) -> None:
        """Write the table: `point`, `step` (steps done at its end), then the columns."""
        table = pd.DataFrame(self.rows)
        table.insert(0, "point", range(len(self.rows)))
        table.insert(1, "step", [(k + 1) * self.points_every for k in range(len(self.rows))])
        _write(path, table)

    def state_dict(self) -> dict:
        """All of it as plain Python values."""
        return {"rows": self.rows, "sums": self._sums, "counts": self._counts, "steps": self._steps}

    def load_state_dict(self, state: dict) -> None:
        """Take over what `state_dict` gave."""
        self.rows, self._sums, self._counts = state["rows"], state["sums"], state["counts"]
        self._steps = state["steps"]


def write_slopes(path: Path, looks: Sequence[Look], points_every: int) -> None:
    """Write what the monitor saw, one row a look; no look leaves the heading alone.

    Columns: `point`, `step` (steps done at its end), `e0` (first point of the window, empty for none); slope (loss a
    point) and intercept (loss at point 0) of g and of d over the window, `late_slope_g` over the last 50 points, and
    `whole_...` from point 0 on.
    """
    rows = [
        (
            *(look.point, (look.point + 1) * points_every, look.e0, *(look.g or NO_LINE), *(look.d or NO_LINE)),
            *(look.g_late[0], *look.g_all, *look.d_all),
        )
        for look in looks
    ]
    _write(path, pd.DataFrame(rows, columns=SLOPES).astype({"e0": "Int64"}))


def _write(path: Path, table: pd.DataFrame) -> None:
    write_text(path, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
