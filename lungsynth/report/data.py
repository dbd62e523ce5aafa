"""What a report is made from: arrays, tables and plain values, all optional but the study's name.

A script reads files into these and calls `page.page`; a part that is missing becomes one line on the page.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

Verdict = Literal["good", "open", "bad", "none"]


@dataclass(frozen=True)
class Pictures:
    """A few images of one kind, shown side by side.

    Attributes:
        images: int16 HU [n, h, w]; single pictures: uint8 or uint16 levels [n, h, w], or [n, h, w, 3].
        mm_per_px: size of a pixel.
        masks: uint8 [n, h, w], k in the k-th lesion; None where there is nothing to outline.
        captions: one line an image (scan and slice, or where it was made from); [] for none.
        total: how many there are, of which these are shown.
    """

    images: np.ndarray
    mm_per_px: float
    masks: np.ndarray | None = None
    captions: list[str] = field(default_factory=list)
    total: int | None = None


@dataclass(frozen=True)
class Card:
    """A key number.

    Attributes:
        label: what it is, in three or four words.
        value: the number; None where it could not be computed.
        unit: behind the value ("mm", "%", "HU", "").
        low, high: its interval, in the same unit; None where there is none.
        n: what it was counted on, in words: "46 nodules, 5 patients".
        aim: the bound it is held against, in words: "at least .85".
        verdict: good: reached; open: reached, but the interval crosses the bound; bad: missed; none: no bound.
        note: a sentence more.
    """

    label: str
    value: float | None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    n: str = ""
    aim: str = ""
    verdict: Verdict = "none"
    note: str = ""


@dataclass(frozen=True)
class Training:
    """One network's losses and what the monitor said (FACTS 5.5).

    Attributes:
        name: "nodule generator".
        kind: "w_capsule".
        curves: loss name -> float [points]; the first is the generator's (or the only) loss.
        e0, stop, diverged: points where the stable segment starts, where training may stop, where divergence was seen.
        verdict: the monitor's words; mode: what it was allowed to do (report, stop, none).
        monitored: the curves that the monitor looks at, the generator's and the discriminator's; () for none.
        slopes: what it saw, one row a look, with the columns of `train.losses.write_slopes`; None where not known.
        spread: of a generator's fixed batch, over that of real images; None for other networks.
    """

    name: str
    kind: str
    curves: dict[str, np.ndarray]
    e0: int | None = None
    stop: int | None = None
    diverged: int | None = None
    verdict: str = ""
    mode: str = "report"
    monitored: tuple[str, ...] = ()
    slopes: pd.DataFrame | None = None
    spread: float | None = None


@dataclass(frozen=True)
class Distribution:
    """One measure of real and generated things.

    Attributes:
        name, unit: "Diameter", "mm".
        real: float [n], the reference: test patients.
        others: name of a set ("generated", "fit bank", "before selection") -> float [m]; the first is the one judged.
        apart: name of a set -> (KS statistic, Wasserstein distance in the unit) to the real one, as scored.
        band: range to shade (what is accepted); lines: name -> value to mark (a bound).
    """

    name: str
    unit: str
    real: np.ndarray
    others: dict[str, np.ndarray]
    apart: dict[str, tuple[float, float]] = field(default_factory=dict)
    band: tuple[float, float] | None = None
    lines: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Positions:
    """Where nodules lie in the box of a lung.

    Attributes:
        real, placed: (u, v) float [n, 2]; u to the right, v to the back, as shares of the box.
        apart: "left to right", "front to back" -> (KS statistic, Wasserstein distance), as scored.
    """

    real: np.ndarray
    placed: np.ndarray
    apart: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Copies:
    """Is anyone's record in it.

    Attributes:
        what: "nodules" or "normals".
        real_to_real: float [n], distance of every training image to its nearest other training image (leave one out).
        to_train: float [m], distance of every selected generated image to the nearest training image.
        to_test: float [m], the same to the nearest held-out image; None where not computed.
        bound: least distance that selection allows.
        unit: of the distances, "" for those between features.
        closest: pairs to look at: generated images and, at the same place, their nearest training images.
    """

    what: str
    real_to_real: np.ndarray | None = None
    to_train: np.ndarray | None = None
    to_test: np.ndarray | None = None
    bound: float | None = None
    unit: str = ""
    closest: tuple[Pictures, Pictures] | None = None


@dataclass(frozen=True)
class Counted:
    """Where a number of things went: 400 composites = 371 kept + 12 erased + ...; the parts are disjoint.

    Attributes:
        what: "placed lesions", "generated nodules".
        parts: (reason, count, whether it stayed), in the order of the bar.
        note: how it was counted.
    """

    what: str
    parts: list[tuple[str, int, bool]]
    note: str = ""

    @property
    def total(self) -> int:
        """All of them."""
        return sum(count for _, count, _ in self.parts)


@dataclass(frozen=True)
class ReportData:
    """Everything on the page.

    Attributes:
        study, seed, version: name, seed and the software's version.
        title, subtitle: of the page.
        warnings: lines that a reader must see first (one patient in a reference, too few images for a score).
        cards: key numbers.
        flow: (number, what) from the first input to the released images, for the line of counts.
        sheet: rows of the contact sheet, by name: real, normal, composite, refined; composite and refined hold the same
            items in the same order.
        nodules: "real" and "generated", cut out.
        trainings, distributions, copies: see there.
        detection: table of segmenter and baseline on test patients.
        froc: columns system, false_positives_per_scan, sensitivity.
        operating_point: (false positives a scan, sensitivity) at the threshold that tune patients fixed.
        positions: of real and of placed nodules.
        anatomy: score/anatomy.csv: the share of every set's slices in the range of real CT, measure by measure.
        lung_area: "Lung area" of real and generated normals; its band is the accepted range.
        gates: counts at the gate and at the selections, first those of the gate.
        eyes: what gate and judge saw of the composites, and of real slices.
        scores: DESIGN 5 columns: set, reference, metric, extractor, value, low, high, floor, n_set, n_reference.
        comparisons: sentences on paired differences ("KID refined - composite: -.8 [-1.2, -.3], excludes 0").
        quarantine: table of scans that were left out, with the reason; empty where none was.
        networks: table of the numbers that every network holds; `paper` is empty where no publication states any.
        edges: (rule, rule) of the workflow; stages: rule -> stage.
        settings: flat key -> value of the study; provenance: name -> value (code digest, lock digest, device, time).
    """

    study: str
    seed: int
    version: str = ""
    title: str = "Synthetic chest CT slices with lung nodules"
    subtitle: str = ""
    warnings: list[str] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    flow: list[tuple[int, str]] = field(default_factory=list)
    sheet: dict[str, Pictures] = field(default_factory=dict)
    nodules: dict[str, Pictures] = field(default_factory=dict)
    trainings: list[Training] = field(default_factory=list)
    distributions: list[Distribution] = field(default_factory=list)
    copies: list[Copies] = field(default_factory=list)
    detection: pd.DataFrame | None = None
    froc: pd.DataFrame | None = None
    operating_point: tuple[float, float] | None = None
    positions: Positions | None = None
    anatomy: pd.DataFrame | None = None
    lung_area: Distribution | None = None
    gates: list[Counted] = field(default_factory=list)
    eyes: pd.DataFrame | None = None
    scores: pd.DataFrame | None = None
    comparisons: list[str] = field(default_factory=list)
    quarantine: pd.DataFrame | None = None
    networks: pd.DataFrame | None = None
    edges: list[tuple[str, str]] = field(default_factory=list)
    stages: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
