"""What readers saw: one row a reader, their agreement, and the page that says what it means."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import pandas as pd

from lungsynth.utility.reader import claims, forest, rates
from lungsynth.utility.reader.agreement import agreement
from lungsynth.utility.reader.blind import GENERATED, QUESTION, REAL
from lungsynth.utility.reader.page import rendered
from lungsynth.utility.reader.rates import Rate, Table

ALL = "all readers"
COUNTS = ("true_positive", "false_positive", "false_negative", "true_negative")


@dataclass(frozen=True)
class Scored:
    """A reader's answers, or those of all.

    Attributes:
        name: of the reader, or ALL.
        asked: pictures, times readers.
        seconds: median of a picture; confidence: mean; NaN where none was noted.
    """

    name: str
    asked: int
    table: Table
    rates: dict[str, Rate]
    seconds: float
    confidence: float


def score(answers: pd.DataFrame, key: pd.DataFrame, positive: str, level: float) -> list[Scored]:
    """Every reader by name, and all together where there are several.

    Args:
        answers: of `answers.read_answers`; key: of the test; positive: real or generated.
    """
    asked = int((key["part"] == QUESTION).sum())
    groups = {str(name): part for name, part in answers.groupby("reader", sort=True)}
    found = [_scored(name, part, asked, positive, level) for name, part in groups.items()]
    if len(found) > 1:
        found.append(_scored(ALL, answers, asked * len(found), positive, level))
    return found


def _scored(name: str, answers: pd.DataFrame, asked: int, positive: str, level: float) -> Scored:
    table = rates.counted(answers["truth"], answers["answer"], positive)
    times, sure = answers["seconds"].median(), answers["confidence"].mean()
    return Scored(name, asked, table, table.rates(level), float(times), float(sure))


def readers_table(scored: Sequence[Scored], level: float) -> pd.DataFrame:
    """One row a reader: counts, rates with low and high, what so many answers can tell, time and confidence."""
    return pd.DataFrame([_row(one, level) for one in scored])


def _row(one: Scored, level: float) -> dict[str, Any]:
    row: dict[str, Any] = {"reader": one.name, "asked": one.asked, "answered": one.table.n}
    row |= {"positive": one.table.positive} | {name: getattr(one.table, name) for name in COUNTS}
    for name, rate in one.rates.items():
        row |= {name: rate.value, f"{name}_low": rate.low, f"{name}_high": rate.high}
    row["detectable_accuracy"] = rates.detectable(one.table.n, level)
    for accuracy in rates.ASSUMED:
        row[f"power_{100 * accuracy:.0f}"] = rates.power(one.table.n, accuracy, level)
    return row | {"median_seconds": one.seconds, "mean_confidence": one.confidence}


def readers_page(title: str, scored: Sequence[Scored], answers: pd.DataFrame, key: pd.DataFrame, level: float) -> str:
    """The page: what it means in words, every table, agreement, power, and published tests beside ours."""
    table = agreement(answers)
    return rendered(
        "readers.html.j2",
        title=title,
        positive=scored[0].table.positive,
        negative=REAL if scored[0].table.positive == GENERATED else GENERATED,
        level=f"{100 * level:g} %",
        sentences=meaning(scored[-1], level),
        cautions=cautions(scored, key),
        forest=forest.drawn(_lines(scored, level)),
        scored=scored,
        share=share,
        agreement=[dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)],
        power=[_told(one, level) for one in scored if one.name != ALL],
        assumed=rates.ASSUMED,
        claims=_claims(scored[0].table.positive, level),
    )


def _told(one: Scored, level: float) -> tuple[Scored, float, list[float]]:
    """What a reader's number of answers can tell."""
    n = one.table.n
    return one, rates.detectable(n, level), [rates.power(n, accuracy, level) for accuracy in rates.ASSUMED]


def meaning(one: Scored, level: float) -> list[str]:
    """What the last line of the table says: who was told from guessing, who was not, and what could have been."""
    who, n, accuracy = one.name, one.table.n, one.rates["accuracy"]
    least, told = rates.least_right(n, level), rates.detectable(n, level)
    right = one.table.true_positive + one.table.true_negative
    lines = [f"{who}: {right} of {n} answers are right, {span(accuracy)}."]
    if right >= least:
        lines.append("That is more than guessing explains: real and generated pictures could be told apart.")
    elif right <= n - least:
        lines.append("That is less than guessing explains: the two could be told apart, and were taken for each other.")
    else:
        lines.append("Guessing explains it. That does not show that the pictures cannot be told apart.")
    lines.append(_reach(n, least, told, level))
    real = rates.exact(one.table.of(REAL, GENERATED), one.table.of(REAL, GENERATED) + one.table.of(REAL, REAL), level)
    made = rates.exact(
        one.table.of(GENERATED, GENERATED), one.table.of(GENERATED, GENERATED) + one.table.of(GENERATED, REAL), level
    )
    if not isnan(real.value) and not isnan(made.value):
        lines.append(
            f"Of real pictures {share(real.value)} were called generated, of generated ones {share(made.value)}: where "
            "both are high, readers suspect everything, and an accuracy near .5 is no proof of realism."
        )
    return lines


def _reach(n: int, least: int, told: float, level: float) -> str:
    if least > n:
        return f"{n} answers are too few to tell anyone from guessing."
    example = rates.power(n, rates.ASSUMED[0], level)
    return (
        f"With {n} answers, guessing is refused from {least} right ones on; a reader whose true accuracy is "
        f"{share(told)} is told from guessing in 8 of 10 such tests, one of {share(rates.ASSUMED[0])} in "
        f"{100 * example:.0f} of 100."
    )


def cautions(scored: Sequence[Scored], key: pd.DataFrame) -> list[str]:
    """What limits the numbers."""
    found = []
    for one in scored:
        if one.name != ALL and one.table.n < one.asked:
            found.append(f"{one.name} answered {one.table.n} of {one.asked} pictures; the rates are about these")
    if len(scored) > 1:
        found.append(
            "Answers of several readers to one picture are not independent: the intervals of all readers together are "
            "too narrow"
        )
    for truth, what in ((REAL, "patients"), (GENERATED, "backgrounds")):
        asked = key[(key["part"] == QUESTION) & (key["truth"] == truth)]
        if (groups := asked["group"].nunique()) < len(asked):
            found.append(f"The {len(asked)} {truth} pictures come from {groups} {what}: some look alike")
    for truth in (REAL, GENERATED):
        groups = key[key["truth"] == truth].groupby("part")["group"].agg(set)
        if len(groups) > 1 and set.intersection(*groups):
            found.append(f"Some {truth} pictures of the orientation and of the questions are of one origin")
    return found


def _lines(scored: Sequence[Scored], level: float) -> list[forest.Line]:
    ours = [forest.Line(one.name, f"n {one.table.n}", one.rates["accuracy"], True) for one in scored]
    theirs = [
        forest.Line(one.name, f"n {claims.N}", rates.exact(claims.right(one), claims.N, level), False)
        for one in claims.CLAIMS
    ]
    return ours + theirs


def _claims(positive: str, level: float) -> list[dict[str, Any]]:
    """Published tests with the rates of our positive class, computed from their counts."""
    rows = []
    for one in claims.CLAIMS:
        row: dict[str, Any] = {"name": one.name, "note": one.note, "rates": None, "counts": None}
        row["accuracy"] = rates.exact(claims.right(one), claims.N, level)
        if one.table is not None:
            pairs = [(truth, answer) for truth in (REAL, GENERATED) for answer in (REAL, GENERATED)]
            row["counts"] = [one.table.of(truth, answer) for truth, answer in pairs]
            row["rates"] = _turned(one.table, positive).rates(level)
        rows.append(row)
    return rows


def _turned(table: Table, positive: str) -> Table:
    """The same answers with the named class as the positive one."""
    negative = REAL if positive == GENERATED else GENERATED
    pairs = ((positive, positive), (negative, positive), (positive, negative), (negative, negative))
    return Table(positive, *(table.of(truth, answer) for truth, answer in pairs))


def share(value: float, digits: int = 2) -> str:
    """A proportion as the field writes it: .53, 1, 0; a dash where there is none."""
    if isnan(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text.removeprefix("0") if 0 < float(text) < 1 else f"{float(text):g}"


def span(rate: Rate) -> str:
    """A rate with its interval."""
    return f"{share(rate.value)} ({share(rate.low)} to {share(rate.high)})"
