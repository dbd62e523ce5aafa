"""From two sides to the page of a blind test and its sealed key."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lungsynth.study.errors import DataError
from lungsynth.study.seeds import named_seed, rng
from lungsynth.study.stages.utility import Reader
from lungsynth.utility.reader import page
from lungsynth.utility.reader.draw import Drawn, draw
from lungsynth.utility.reader.encode import encode
from lungsynth.utility.reader.sides import Side, shares_of

REAL, GENERATED = "real", "generated"
ORIENTATION, QUESTION = "orientation", "question"
KEY_COLUMNS = ("test", "id", "part", "truth", "source", "group", "role", "page_sha256")


@dataclass(frozen=True)
class BlindTest:
    """A blind test.

    Attributes:
        id: of its pictures and their order; tells nothing of what they are.
        page: HTML text.
        key: one row a picture (KEY_COLUMNS), in the order in which they are shown.
        notes: what makes it easier or harder than it should be, a line each.
    """

    id: str
    page: str
    key: pd.DataFrame
    notes: tuple[str, ...]


def make_test(real: Side, generated: Side, how: Reader, seed: int, title: str, view: page.Window | None) -> BlindTest:
    """Draw the pictures, put them in an order that does not depend on what they are, and write page and key.

    Args:
        how: numbers of pictures, whether confidence is asked for.
        title: of the page.
        view: the grey scale of CT; None of pictures, which have no window.

    Raises:
        DataError: too few pictures, pictures of two sizes, or one that is on both sides.
    """
    sides = {REAL: real, GENERATED: generated}
    drawn = _drawn(sides, how, seed)
    shown = pd.concat([_shown(truth, side, drawn[truth]) for truth, side in sides.items()], ignore_index=True)
    _alike(shown)
    orientation, questions = (_ordered(shown, part, seed) for part in (ORIENTATION, QUESTION))
    test = _digest([*orientation["address"], *questions["address"], str(view), str(how.confidence)])
    labelled = list(zip(orientation["address"], orientation["truth"], strict=True))
    asked = list(zip(questions["id"], questions["address"], strict=True))
    text = page.page_of_test(test, title, labelled, asked, how.confidence, view)
    sealed = hashlib.sha256(text.encode()).hexdigest()
    key = pd.concat([orientation, questions], ignore_index=True).assign(test=test, page_sha256=sealed)
    return BlindTest(test, text, key[list(KEY_COLUMNS)], tuple(_notes(sides, drawn)))


def _drawn(sides: dict[str, Side], how: Reader, seed: int) -> dict[str, Drawn]:
    """What is shown of each side, by the same shares of the classes."""
    _enough(sides, how)
    shares, drawn = shares_of(*sides.values()), {}
    for (truth, side), labelled, asked in zip(sides.items(), how.labelled, (how.real, how.generated), strict=True):
        table = side.table if len(shares) > 1 else side.table.assign(**{"class": shares.index[0]})
        try:
            drawn[truth] = draw(table, labelled, asked, shares, rng(seed, "reader", truth))
        except DataError as error:
            raise DataError(f"{_key(truth)}: {error} in {side.name}") from None
    return drawn


def _key(truth: str) -> str:
    return f"utility.reader.{truth}"


def _enough(sides: dict[str, Side], how: Reader) -> None:
    for (truth, side), labelled, asked in zip(sides.items(), how.labelled, (how.real, how.generated), strict=True):
        if len(side.table) < labelled + asked:
            raise DataError(
                f"{_key(truth)}: asks for {asked} pictures and {labelled} for orientation, {side.name} has "
                f"{len(side.table)}; lower it, or utility.reader.orientation"
            )


def _shown(truth: str, side: Side, drawn: Drawn) -> pd.DataFrame:
    """The pictures of a side, with all that the key says of them."""
    chosen = np.concatenate([drawn.orientation, drawn.questions])
    parts = [ORIENTATION] * len(drawn.orientation) + [QUESTION] * len(drawn.questions)
    rows = side.table.iloc[chosen].reset_index(drop=True)
    facts = {"part": parts, "truth": truth, "role": side.role, "address": [encode(one) for one in side.read(chosen)]}
    return rows.rename(columns={"id": "source"}).assign(**facts)


def _alike(shown: pd.DataFrame) -> None:
    if shown["address"].str.len().nunique() > 1:
        raise DataError("real and generated pictures differ in size or colour, which would tell one from the other")
    double = shown[shown["address"].duplicated(keep=False)]
    for _, same in double.groupby("address", sort=False):
        names = sorted(same["source"])
        raise DataError(f"{names[0]} and {names[1]} are the same picture; a test shows a picture once")


def _ordered(shown: pd.DataFrame, part: str, seed: int) -> pd.DataFrame:
    """The pictures of a part in the order in which they are shown, named after it.

    First by a digest of what is to be seen, then by lot: whoever knows seed and program still knows no truth, since
    the order is the same with the truths exchanged.
    """
    salt = str(named_seed(seed, "reader", part))
    rows = shown[shown["part"] == part]
    by_content = rows.assign(digest=[_digest([salt, one]) for one in rows["address"]]).sort_values("digest")
    mixed = by_content.iloc[rng(seed, "reader", "order", part).permutation(len(rows))].drop(columns="digest")
    names = [f"{part[0]}{number:0{_width(len(rows))}d}" for number in range(1, len(rows) + 1)]
    return mixed.assign(id=names)


def _width(count: int) -> int:
    return max(3, len(str(count)))


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def origins(truth: str, count: int) -> str:
    """So many patients, of real pictures, or backgrounds, of generated ones, in words."""
    return f"{count} {'patient' if truth == REAL else 'background'}" + ("" if count == 1 else "s")


def _notes(sides: dict[str, Side], drawn: dict[str, Drawn]) -> list[str]:
    notes = []
    for truth, side in sides.items():
        asked = side.table.iloc[drawn[truth].questions]["group"]
        if (count := asked.nunique()) < len(asked):
            notes.append(f"{len(asked)} {truth} pictures show {origins(truth, count)}: some look alike")
        if not drawn[truth].apart and len(drawn[truth].orientation):
            notes.append(
                f"{truth} pictures of the orientation and of the questions are of the same patients or backgrounds"
            )
    return notes
