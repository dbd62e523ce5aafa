"""report.html: one self-contained page, from plain inputs to text. Nothing on it asks the network for anything."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lungsynth.report import anatomy, charts, contact, dag, slopes
from lungsynth.report.blocks import Chart, Table, card_words, number, part_classes, table_of
from lungsynth.report.data import Copies, Counted, Distribution, Pictures, Positions, ReportData, Training
from lungsynth.report.figures import View
from lungsynth.report.scores import copy_scores, score_groups, scores_table
from lungsynth.sets.pages import asset, html

TEMPLATES = Path(__file__).parent / "templates"
NARROW = "\N{NO-BREAK SPACE}"
POSITION_WORDS = (
    "Both lungs in one box, left to right as on the image, front on top. "
    "A good pair is dense and empty in the same places."
)
SLOPE_WORDS = (
    "Slope of the line that is fitted from e0, or from the first point, to each point. Inset: the same round zero. A "
    "stable course comes near zero and stays there."
)
LUNG_WORDS = "Shaded: what counts as lungs, the 5 to 95 % range of real test slices. A good line fills it."


def loss_charts(data: ReportData) -> list[Chart]:
    """A chart a network, with the monitor's verdict as its caption, and one of the slopes where it was watched."""
    found = []
    for training in data.trainings:
        if not training.curves:
            continue
        lead = f"{training.kind}, {max(map(len, training.curves.values()))} points, monitor: {training.mode}"
        lead = ". ".join(filter(None, [lead, spread_words(training), slopes.words(training)]))
        found.append(Chart(charts.losses(training), training.name, lead, [], training.verdict))
        if slopes.rows_of(training) is not None:
            title, legend = f"{training.name}: slopes", charts.slope_legend(training)
            found.append(Chart(charts.slopes(training), title, SLOPE_WORDS, legend))
    return found


def spread_words(training: Training) -> str:
    """How different the images of a generator are; "" for other networks."""
    return "" if training.spread is None else f"Its images spread {training.spread:.2f} times as far as real ones"


def distribution_chart(one: Distribution, lead: str = "") -> Chart | None:
    """Real against generated with the two distances of every set; None where a side is empty."""
    if not len(one.real) or not any(len(values) for values in one.others.values()):
        return None
    others = {name: values for name, values in one.others.items() if len(values)}
    legend = [("real", "real, test", f"n {len(one.real)}")]
    for css, (name, values) in zip(charts.set_classes(list(others)), others.items(), strict=True):
        words = f"n {len(values)}"
        if name in one.apart:
            words += f", {apart_words(one.apart[name], one.unit)}"
        legend.append((css, name, words))
    return Chart(charts.histograms(replace(one, others=others)), one.name, lead, legend)


def apart_words(apart: tuple[float, float], unit: str) -> str:
    """KS statistic and Wasserstein distance for a legend."""
    return f"KS {apart[0]:.2f}, W{NARROW}{number(apart[1], 2)}{NARROW}{unit}".rstrip()


def position_chart(positions: Positions) -> Chart | None:
    """Two maps, and how far apart they are along both sides of the lung's box, in shares of the box."""
    if not (len(positions.real) and len(positions.placed)):
        return None
    legend = [("generated", name, apart_words(apart, "of the box")) for name, apart in positions.apart.items()]
    svg = charts.position(positions.real, positions.placed)
    return Chart(svg, "Position in the lung's box", POSITION_WORDS, legend)


def counted_bar(counted: Counted) -> dict[str, Any]:
    """A bar with its legend: what stayed and what fell out, in numbers and percent."""
    parts = [(css, reason, count) for css, (reason, count, _) in zip(part_classes(counted), counted.parts, strict=True)]
    legend = [(css, reason, f"{count} ({100 * count / max(counted.total, 1):.1f} %)") for css, reason, count in parts]
    return {"counted": counted, "parts": parts, "legend": legend}


def networks_table(networks: pd.DataFrame) -> Table:
    """Every network's numbers, whole and exact: a published count is met or it is not."""
    published = networks["paper"].astype("Int64")
    return table_of(networks.assign(preset=networks["preset"].replace("none", ""), paper=published))


def copies_block(copies: Copies) -> dict[str, Any]:
    """Distances to the training images as a chart, words on the bound, and the closest pairs to look at."""
    chart, words = None, []
    if copies.real_to_real is not None and copies.to_train is not None and len(copies.to_train):
        others = {"generated to train": copies.to_train}
        if copies.to_test is not None and len(copies.to_test):
            others["generated to test"] = copies.to_test
        lines = {} if copies.bound is None else {"bound": copies.bound}
        real = np.asarray(copies.real_to_real)
        both = Distribution(f"Distance to the nearest {copies.what[:-1]}", copies.unit, real, others, lines=lines)
        chart = distribution_chart(both)
        names = {"real, test": "train to nearest other train"}
        sides = [real, *others.values()]
        legend = [
            (css, names.get(name, name), f"{words}, median {number(float(np.median(side)), 2)} {copies.unit}".rstrip())
            for (css, name, words), side in zip(chart.legend, sides, strict=True)
        ]
        chart = replace(chart, legend=legend)
        if copies.bound is not None:
            under = int((np.asarray(copies.to_train) < copies.bound).sum())
            count, least = len(copies.to_train), number(copies.bound)
            words.append(f"{under} of {count} selected {copies.what} lie under the bound of {least}.")
    shape = (6, 2) if copies.what == "normals" else (8, 2)
    views = [contact.nodule_sheet(part, f"{name} {copies.what}", *shape) for name, part in _closest(copies)]
    return {"copies": copies, "chart": chart, "words": words, "pairs": views}


def _closest(copies: Copies) -> list[tuple[str, Pictures]]:
    if copies.closest is None or not len(copies.closest[0].images):
        return []
    return [("generated", copies.closest[0]), ("nearest training", copies.closest[1])]


def nodule_views(nodules: dict[str, Pictures]) -> dict[str, View]:
    """A sheet of real and one of generated nodules, at one scale."""
    filled = {name: part for name, part in nodules.items() if len(part.images)}
    border = contact.empty_border(list(filled.values()))
    return {
        name: contact.nodule_sheet(part, f"{name} nodules, cut out", border=border) for name, part in filled.items()
    }


def views_of(data: ReportData) -> dict[str, Any]:
    """Everything that the template prints, ready made."""
    froc = None
    if data.froc is not None and len(data.froc):
        svg = charts.froc(data.froc, data.operating_point)
        froc = Chart(svg, "Finding nodules", "Test patients. A good line is high at the left.", [])
    lungs = distribution_chart(data.lung_area, LUNG_WORDS) if data.lung_area else None
    distributions = [chart for one in data.distributions if (chart := distribution_chart(one))]
    return {
        "rows": contact.contact_rows(data.sheet),
        "pairs": contact.pairs(data.sheet),
        "nodules": nodule_views(data.nodules),
        "cards": [(card, card_words(card)) for card in data.cards],
        "losses": loss_charts(data),
        "distributions": distributions,
        "positions": position_chart(data.positions) if data.positions else None,
        "anatomy": anatomy.chart(data.anatomy),
        "anatomy_words": anatomy.words(data.anatomy),
        "lungs": lungs,
        "froc": froc,
        "detection": None if data.detection is None or data.detection.empty else table_of(data.detection),
        "score_groups": score_groups(data.scores),
        "copy_scores": copy_scores(data.scores),
        "scores": scores_table(data.scores),
        "bars": [counted_bar(counted) for counted in data.gates if counted.total],
        "eyes": None if data.eyes is None else table_of(data.eyes),
        "copies": [copies_block(copies) for copies in data.copies],
        "quarantine": None if data.quarantine is None else table_of(data.quarantine),
        "networks": None if data.networks is None else networks_table(data.networks),
        "dag": dag.rule_graph(data.edges, data.stages) if data.edges else None,
    }


def page(data: ReportData, template: str = "report.html.j2", **more: Any) -> str:
    """The whole report as one HTML text; the same data give the same text.

    Args:
        more: what a template of another chain prints beside `views_of`.

    Parts that `data` lacks are named in a line where they would stand.
    """
    return rendered(template, data=data, number=number, **views_of(data), **more)


def rendered(name: str, **values: Any) -> str:
    """A template of this room as text, with the style and script that all its pages share."""
    style, script = (asset(TEMPLATES, file) for file in ("style.css", "script.js"))
    return html(TEMPLATES, name, style=style, script=script, **values)
