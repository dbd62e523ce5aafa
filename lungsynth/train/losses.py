"""The loss table: one row a point, a point being the mean over some steps."""

from pathlib import Path

import pandas as pd

from lungsynth.ct.files import write_text


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
        write_text(path, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))

    def state_dict(self) -> dict:
        """All of it as plain Python values."""
        return {"rows": self.rows, "sums": self._sums, "counts": self._counts, "steps": self._steps}

    def load_state_dict(self, state: dict) -> None:
        """Take over what `state_dict` gave."""
        self.rows, self._sums, self._counts = state["rows"], state["sums"], state["counts"]
        self._steps = state["steps"]
