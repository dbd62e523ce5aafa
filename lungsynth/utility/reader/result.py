"""What readers saw: one row a reader, their agreement, and the page that says what it means."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import pandas as pd

from lungsynth.utility.reader import claims, forest, rates
from lungsynth.utility.reader.agreement import agreement
from lungsynth.utility.reader.blind import GENERATED, ORIENTATION, QUESTION, REAL, origins
from lungsynth.utility.reader.page import rendered
from lungsynth.utility.reader.rates import Rate, Table

ALL = "all readers"
NAN = float("nan")
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
    told, powers = _told(one.table.n, level)
    if one.name == ALL:  # answers of several to one picture are no independent ones, which the power is about
        told, powers = NAN, [NAN] * len(powers)
    row["detectable_accuracy"] = told
    row |= {f"power_{100 * accuracy:.0f}": value for accuracy, value in zip(rates.ASSUMED, powers, strict=True)}
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
        sentences=meaning(scored, level),
        cautions=cautions(scored, key),
        forest=forest.drawn(_lines(scored, level)),
        scored=scored,
        share=share,
        agreement=[dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)],
        power=[(one, *_told(one.table.n, level)) for one in scored if one.name != ALL],
        assumed=rates.ASSUMED,
        claims=_claims(scored[0].table.positive, level),
    )


def _told(n: int, level: float) -> tuple[float, list[float]]:
    """What a reader's number of answers can tell: the accuracy with power .8, and the power at those assumed."""
    return rates.detectable(n, level), [rates.power(n, accuracy, level) for accuracy in rates.ASSUMED]


def meaning(scored: Sequence[Scored], level: float) -> list[str]:
    """What the last line of the table says: told from guessing or not, what could have been, and which way they err."""
    last, n = scored[-1], max(one.table.n for one in scored if one.name != ALL)
    called = {truth: _called_generated(last.table, truth, level) for truth in (REAL, GENERATED)}
    lines = [_verdict(last, level), _reach(n, level)]
    if not any(isnan(rate.value) for rate in called.values()):
        lines.append(
            f"Of real pictures {share(called[REAL].value)} were called generated, of generated ones "
            f"{share(called[GENERATED].value)}: where both are high, readers suspect everything, and an accuracy "
            "near .5 is no proof of realism."
        )
    return lines


def _verdict(one: Scored, level: float) -> str:
    n, right = one.table.n, one.table.true_positive + one.table.true_negative
    least = rates.least_right(n, level)
    said = f"{one.name}: {right} of {n} answers are right, {span(one.rates['accuracy'])}. "
    if right >= least:
        return said + "That is more than guessing explains: real and generated pictures could be told apart."
    if right <= n - least:
        return said + "That is less than guessing explains: they could be told apart, and were taken for each other."
    return said + "Guessing explains it, which does not show that the pictures cannot be told apart."


def _reach(n: int, level: float) -> str:
    least, told = rates.least_right(n, level), rates.detectable(n, level)
    if least > n:
        return f"{n} answers are too few to tell anyone from guessing."
    first = rates.ASSUMED[0]
    return (
        f"With {n} answers of one reader, guessing is refused from {least} right ones on: a true accuracy of "
        f"{share(told)} is told from it in 8 of 10 such tests, one of {share(first)} in "
        f"{100 * rates.power(n, first, level):.0f} of 100."
    )


def _called_generated(table: Table, truth: str, level: float) -> Rate:
    called = table.of(truth, GENERATED)
    return rates.exact(called, called + table.of(truth, REAL), level)


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
    for truth in (REAL, GENERATED):
        of_part = key[key["truth"] == truth].groupby("part")["group"].agg(list)
        asked = of_part[QUESTION]
        if (count := len(set(asked))) < len(asked):
            found.append(f"The {len(asked)} {truth} pictures show {origins(truth, count)}: some look alike")
        if set(asked) & set(of_part.get(ORIENTATION, [])):
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
