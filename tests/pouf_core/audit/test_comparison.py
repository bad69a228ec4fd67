"""Intervals of a paired difference cover the true one as often as they say, and no wider than they must be."""

from __future__ import annotations

import numpy as np
import pytest

from pouf_core.audit.comparison import UNLABELLED, compare

DRAWS = 400


@pytest.mark.parametrize(
    ("shares", "count"),
    [((0.6, 0.1, 0.2, 0.1), 200), ((0.9, 0.01, 0.05, 0.04), 100), ((0.3, 0.3, 0.3, 0.1), 60)],
)
def test_the_true_difference_is_covered(shares: tuple[float, ...], count: int) -> None:
    """`shares` of items that both, the first alone, the second alone and neither get right."""
    drawn = np.random.default_rng(0)
    truth, true = np.zeros(count, dtype=np.int64), shares[2] - shares[1]
    covered, widths = 0, []
    for _ in range(DRAWS):
        kind = drawn.choice(4, count, p=shares)
        first, second = (np.where((kind == 0) | (kind == own), 0, 1) for own in (1, 2))
        difference = compare(first, second, truth).difference
        assert difference is not None
        low, high = difference.interval
        covered += low <= true <= high
        widths.append(high - low)
    assert covered / DRAWS >= 0.92
    normal = 2 * 1.96 * np.sqrt((shares[1] + shares[2] - true**2) / count)
    assert np.mean(widths) <= 1.15 * normal


def test_items_without_a_label_say_where_they_agree_alone() -> None:
    first, second = np.array([0, 1, 2]), np.array([0, 2, 2])
    found = compare(first, second, np.full(3, UNLABELLED))
    assert (found.agree.tolist(), found.labelled) == ([True, False, True], 0)
    assert found.accuracies is found.difference is None
    labelled = compare(first, second, np.array([UNLABELLED, 2, UNLABELLED]))
    assert labelled.accuracies is not None and labelled.difference is not None
    assert [one.value for one in labelled.accuracies] == [0.0, 1.0]
    assert labelled.difference.value == 1.0
