"""How sure a share is that was counted."""

from __future__ import annotations

import math

from scipy.stats import binomtest

Interval = tuple[float, float]


def share_interval(hits: int, total: int) -> Interval:
    """Return the 95 % confidence interval of a share of independent trials (Wilson's score interval); NaN of none.

    Example:
        >>> low, high = share_interval(9, 10)
        >>> round(low, 3), round(high, 3)
        (0.596, 0.982)
    """
    if not total:
        return math.nan, math.nan
    found = binomtest(hits, total).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)
