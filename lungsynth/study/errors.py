"""The three ways in which a person learns that something is wrong; each carries one line that says what to do."""


class LungsynthError(Exception):
    """Base of the errors that are shown as one line, without a traceback."""


class StudyError(LungsynthError):
    """A setting is wrong: unknown key, wrong type, impossible value. Raised before any job starts."""


class DataError(LungsynthError):
    """An input file or table is wrong: unreadable, truncated, outside its range, too few of something."""


class TrainingError(LungsynthError):
    """A training cannot go on: NaN, collapsed generator, a data set smaller than a batch."""
