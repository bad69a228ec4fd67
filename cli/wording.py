"""Figures in words, for people."""


def gain_in_words(points: float, low: float, high: float) -> str:
    """An estimated gain in percentage points of accuracy, with its interval."""
    return f"{points:+.1f} points of accuracy, 90 % interval {low:+.1f} to {high:+.1f}"
