"""What publications report of such tests, as counts where they print them, and where their numbers cannot be.

All asked one physician about 50 real and 50 generated pictures.
"""

from dataclasses import dataclass

from lungsynth.study.errors import DataError
from lungsynth.utility.reader.blind import GENERATED
from lungsynth.utility.reader.rates import Table


@dataclass(frozen=True)
class Claim:
    """A published test.

    Attributes:
        name: publication and set.
        accuracy: as printed.
        table: the answers, positive class generated; None where they are not printed.
        note: what is to be known of it.
    """

    name: str
    accuracy: float
    table: Table | None
    note: str = ""


def _han(name: str, accuracy: float, real: tuple[int, int], generated: tuple[int, int]) -> Claim:
    """A row of the table of Han 2018: real as real, as generated; generated as real, as generated."""
    (right, called), (passed, found) = real, generated
    return Claim(f"Han 2018, {name}", accuracy, Table(GENERATED, found, called, passed, right))


N = 100
CLAIMS = (
    Claim(
        "GIST",
        0.53,
        None,
        "printed beside precision .58 and recall .58, which cannot be: on 50 + 50 both at .58 make accuracy .58; "
        "accuracy .53 with recall .58 makes precision .527 (29 found, 26 real ones called generated)",
    ),
    _han("T1", 0.70, (26, 24), (6, 44)),
    _han("T1c", 0.71, (24, 26), (3, 47)),
    _han("T2", 0.64, (22, 28), (8, 42)),
    _han("FLAIR", 0.54, (12, 38), (8, 42)),
    _han("all four", 0.77, (34, 16), (7, 43)),
    _han("all four, 64 px", 0.54, (13, 37), (9, 41)),
)


def right(claim: Claim) -> int:
    """Right answers of the hundred.

    Raises:
        DataError: counts and printed accuracy differ.
    """
    hits = round(N * claim.accuracy)
    if claim.table is not None and claim.table.true_positive + claim.table.true_negative != hits:
        raise DataError(f"{claim.name}: the counts do not make the printed accuracy {claim.accuracy}")
    return hits
