"""The fixture with known answers (FACTS 3.2), and tables from rows."""

import pandas as pd


def findings(rows):
    return pd.DataFrame(rows, columns=["scan", "x_mm", "y_mm", "z_mm", "diameter_mm"])


def marks(rows):
    return pd.DataFrame(rows, columns=["scan", "x_mm", "y_mm", "z_mm", "probability"])


SCANS = ["s0", "s1", "s2", "s3"]
ANNOTATIONS = findings(
    [("s0", 0, 0, 0, 10), ("s0", 30, 0, 0, 6), ("s1", 0, 0, 0, 8), ("s3", 10, 10, 10, 20)],
)
EXCLUDED = findings([("s0", 100, 0, 0, -1), ("s2", 50, 50, 50, 4)])
MARKS = marks(
    [
        ("s0", 5, 0, 0, 0.99),
        ("s0", 4.9, 0, 0, 0.9),
        ("s0", 1, 0, 0, 0.6),
        ("s0", 103, 0, 0, 0.95),
        ("s0", 0, 50, 0, 0.5),
        ("s1", 0, 0, 3, 0.8),
        ("s1", 0, 0, 40, 0.7),
        ("s2", 50, 50, 51.9, 0.85),
        ("s2", 0, 0, 0, 0.4),
        ("s3", 30, 30, 30, 0.3),
        ("s3", 10, 10, 19.9, 0.7),
    ]
)
