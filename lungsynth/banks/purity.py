"""How much of what the segmenter cut is a nodule: the share that overlaps an annotation, for each role apart."""

import pandas as pd

from lungsynth.sets.proportions import share

PURITY_COLUMNS = ("role", "counted", "hits", "n", "share", "low", "high")


def purity(nodules: dict[str, pd.DataFrame], confidence: float = 0.95) -> pd.DataFrame:
    """Purity of banks, by nodule and by cut.

    Args:
        nodules: role -> rows of a nodule bank whose column `annotated` is 1 where the nodule overlaps an annotation,
            0 where it does not, empty where the scan has none to compare with (left out here).

    Returns:
        One row a role and way of counting (`nodules`, `cuts`) with Wilson's interval.
    """
    rows = []
    for role, table in nodules.items():
        hits = pd.to_numeric(table["annotated"], errors="coerce")
        known = table.assign(annotated=hits)[hits.notna()]
        by_nodule = known.groupby(["scan", "nodule"])["annotated"].max()
        for counted, values in (("nodules", by_nodule), ("cuts", known["annotated"])):
            found = share(int(values.sum()), len(values), confidence)
            rows.append({"role": role, "counted": counted, **found})
    return pd.DataFrame(rows, columns=list(PURITY_COLUMNS))
