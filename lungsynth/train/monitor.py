"""The loss monitor: when a GAN's losses are level, by slopes over a growing window (Chen 2025; FACTS 5.3 and 5.5).

A point is the mean loss over some steps ("epoch" in the paper). The rule looks every `check` points, uses what it has
seen so far only, and costs O(1) for each slope.
"""

from dataclasses import dataclass, field

import numpy as np

from lungsynth.study.stages.generate import Monitor

MEDIAN_POINTS = 11
EARLY_POINTS = 10
SETTLED_POINTS = 25
FAIL_POINTS = 50
IN_A_ROW = 3
LEAST_POINTS = 5
"""Fewer make a fit that is badly conditioned."""
SHORT_RUN = 100
LOWEST_SLOPE = -0.0005
Line = tuple[float, float]
"""(slope, intercept), loss per point and loss; the first point of a training is 0."""


def is_due(point: int, settings: Monitor) -> bool:
    """Whether a point is one of every `check`, those at which the monitor looks among them."""
    return (point - settings.start) % settings.check == 0


class Slopes:
    """Least-squares slopes of a growing series over any window, from running sums."""

    def __init__(self) -> None:
        self._first = 0.0
        self._y = [0.0]
        self._xy = [0.0]

    def __len__(self) -> int:
        return len(self._y) - 1

    def append(self, y: float) -> None:
        """Add the next point."""
        x = len(self)
        if x == 0:
            self._first = y
        # Centred on the first value: the sums stay small, and a constant has a slope of exactly 0.
        self._y.append(self._y[-1] + (y - self._first))
        self._xy.append(self._xy[-1] + x * (y - self._first))

    def line(self, start: int, end: int) -> Line:
        """(slope, intercept) of the fit over the points `start` to `end`, both included, as `numpy.polyfit` gives them.

        Raises:
            ValueError: fewer than 5 points.
        """
        n = end - start + 1
        if n < LEAST_POINTS:
            raise ValueError(f"a slope needs {LEAST_POINTS} points, the window {start}..{end} has {n}")
        sum_y = self._y[end + 1] - self._y[start]
        sum_xy = self._xy[end + 1] - self._xy[start]
        middle = (start + end) / 2
        slope = (sum_xy - middle * sum_y) / (n * (n * n - 1) / 12)
        return slope, self._first + sum_y / n - slope * middle

    def slope(self, start: int, end: int) -> float:
        """Slope of the fit over the points `start` to `end`, both included, loss per point."""
        return self.line(start, end)[0]


@dataclass(frozen=True)
class Look:
    """What is seen of the losses at a point e (FACTS 5.3).

    Attributes:
        point: e; e0: first point of the window, None while there is none.
        g, d: lines over [e0, e], None where there is no window, or fewer than 5 points in it.
        g_all, d_all: lines over [0, e], the paper's plain ones.
        g_late: line of g over the last `FAIL_POINTS`.
    """

    point: int
    e0: int | None
    g: Line | None
    d: Line | None
    g_all: Line
    d_all: Line
    g_late: Line


@dataclass
class LossMonitor:
    """The online rule of FACTS 5.5 on the generator's loss g and the discriminator's d.

    Attributes:
        looks: what was seen, look by look.
        e0: first point of the window, None while the hump lasts.
        stop: point at which the losses counted as stable, None before.
        diverged: point at which g was seen to climb for good after a stop, None before.
    """

    settings: Monitor = field(default_factory=Monitor)
    e0: int | None = None
    stop: int | None = None
    diverged: int | None = None
    looks: list[Look] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._g: list[float] = []
        self._medians: list[float] = []
        self._slopes_g, self._slopes_d = Slopes(), Slopes()
        self._good = self._failing = 0

    def add(self, g: float, d: float) -> None:
        """Take the next point's losses; look, if it is time to."""
        self._g.append(g)
        self._medians.append(float(np.median(self._g[-MEDIAN_POINTS:])))
        self._slopes_g.append(g)
        self._slopes_d.append(d)
        e = len(self._g) - 1
        if e >= self.settings.start and is_due(e, self.settings):
            self._look(e)

    def at_end(self) -> list[Look]:
        """The looks, and one at the last point where it has none: the paper's lines end there."""
        e = len(self._g) - 1
        if e < LEAST_POINTS - 1 or (self.looks and self.looks[-1].point == e):
            return self.looks
        return [*self.looks, self._lines(e)]

    def _look(self, e: int) -> None:
        if self.stop is None:
            self._place_window(e)
        look = self._lines(e)
        self.looks.append(look)
        if self.stop is None:
            self._judge_window(look)
        else:
            self._watch_for_divergence(look)

    def _lines(self, e: int) -> Look:
        g, d, late = self._slopes_g, self._slopes_d, max(0, e - FAIL_POINTS + 1)
        inside = self.e0 is not None and e - self.e0 + 1 >= LEAST_POINTS
        windows = (g.line(self.e0, e), d.line(self.e0, e)) if inside else (None, None)
        return Look(e, self.e0, *windows, g.line(0, e), d.line(0, e), g.line(late, e))

    def _place_window(self, e: int) -> None:
        peak = int(np.argmax(self._medians))
        top = self._medians[peak]
        rise = top - float(np.median(self._medians[: min(EARLY_POINTS - 1, peak) + 1]))
        if rise <= self.settings.hump:
            self.e0 = 0 if self.e0 is None else self.e0
        elif self.e0 is None or self.e0 < peak:
            start = e - SETTLED_POINTS + 1
            settled = (
                start > peak
                and top - float(np.median(self._g[start:])) > self.settings.hump
                and abs(self._slopes_g.slope(start, e)) < self.settings.settle
            )
            self.e0 = start if settled else None

    def _judge_window(self, look: Look) -> None:
        if look.g is None or look.point - look.e0 < self.settings.min_window:
            self._good = 0
            return
        level = LOWEST_SLOPE <= look.g[0] <= self.settings.eps_g and abs(look.d[0]) <= self.settings.eps_d
        self._good = self._good + 1 if level else 0
        if self._good >= IN_A_ROW:
            self.stop = look.point

    def _watch_for_divergence(self, look: Look) -> None:
        self._failing = self._failing + 1 if look.g_late[0] > self.settings.fail else 0
        if self._failing >= IN_A_ROW and self.diverged is None:
            self.diverged = look.point

    def verdict(self, planned_points: int, finished: bool) -> str:
        """What can be said now; too short a run and no stable segment are results, not errors."""
        if planned_points < SHORT_RUN:
            return f"fewer than {SHORT_RUN} points: too short to judge"
        if self.diverged is not None:
            return "diverged after its stable segment"
        if self.stop is not None:
            return "stable"
        return "no stable segment" if finished else "running"
