"""The interval of a share that was counted."""

from __future__ import annotations

CONFIDENCE = 0.95


def share_interval(successes: int, count: int) -> tuple[float, float]:
    """Wilson's score interval of 95 % for `successes` of `count` (at least 1)."""
    from scipy.stats import binomtest  # its import takes a second, which no start of a process should wait for

    bounds = binomtest(successes, count).proportion_ci(CONFIDENCE, method="wilson")
    return float(bounds.low), float(bounds.high)
