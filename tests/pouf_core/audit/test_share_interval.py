import pytest

from pouf_core.audit.share_interval import share_interval


def test_intervals_are_wilsons() -> None:
    assert share_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
