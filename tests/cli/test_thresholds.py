import pytest

from cli import CommandError
from cli.thresholds import parse_threshold


@pytest.mark.parametrize(("value", "expected"), [(None, None), ("auto", "auto"), ("0.25", 0.25)])
def test_a_threshold_is_a_probability_or_auto(value, expected):
    assert parse_threshold(value) == expected


@pytest.mark.parametrize("value", ["high", "1.5", "-0.1", "nan"])
def test_another_threshold_is_refused(value):
    with pytest.raises(CommandError, match="from 0 to 1"):
        parse_threshold(value)
