"""The ways in which a person learns that something is wrong; each carries one line that says what to do."""

import difflib
from collections.abc import Sequence


class LungsynthError(Exception):
    """Base of the errors that are shown as one line, without a traceback."""


class StudyError(LungsynthError):
    """A setting is wrong: unknown key, wrong type, impossible value. Raised before any job starts."""


class DataError(LungsynthError):
    """An input file or table is wrong: unreadable, truncated, outside its range, too few of something."""


class WriteError(LungsynthError, OSError):
    """A result cannot be written: full disk, quota, limit of a file's size, read-only folder."""

    def __init__(self, line: str, number: int | None = None):
        super().__init__(line)
        self.errno = number


class TrainingError(LungsynthError):
    """A training cannot go on: NaN, collapsed generator, a data set smaller than a batch."""


def nearest(name: str, known: Sequence[str], what: str = "known keys") -> str:
    """The end of a message on a name that does not exist: the nearest one that does, or all of them."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; {what}: {', '.join(known) or 'none'}"
