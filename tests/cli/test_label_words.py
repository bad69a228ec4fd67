import pytest

from cli import CommandError
from cli.label_words import parse_label_words, parse_text_limits


def test_label_words_are_read_class_by_class():
    assert parse_label_words(["bad=terrible, awful", "good = great"]) == {
        "bad": ["terrible", "awful"],
        "good": ["great"],
    }
    for values in (["terrible"], ["bad=a", "bad=b"]):
        with pytest.raises(CommandError, match="once for each class"):
            parse_label_words(values)


def test_text_limits_are_read_text_by_text():
    assert parse_text_limits(["text_a=64", "text_b=8"]) == {"text_a": 64, "text_b": 8}
    for values in (["64"], ["text=long"], ["text=1", "text=2"]):
        with pytest.raises(CommandError, match="once for each text"):
            parse_text_limits(values)
