"""How sure a share of counted things is."""

from statistics import NormalDist


def wilson(hits: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of the proportion `hits` / `n` (Wilson 1927); (0, 1) where nothing was counted.

    Raises:
        ValueError: `hits` is not in 0..n.
    """
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n} is no proportion")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, shrink = hits / n, 1 + z * z / n
    middle = (share + z * z / (2 * n)) / shrink
    half = z / shrink * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    # At the ends the bounds are 0 and 1 exactly; rounding would leave 1e-17 of them in a report.
    return (middle - half if hits else 0.0), (middle + half if hits < n else 1.0)


def share(hits: int, n: int, confidence: float = 0.95) -> dict[str, float | int | None]:
    """{hits, n, share, low, high} with Wilson's interval, for tables and summaries; share is None where n is 0."""
    low, high = wilson(hits, n, confidence)
    return {"hits": int(hits), "n": int(n), "share": hits / n if n else None, "low": low, "high": high}
