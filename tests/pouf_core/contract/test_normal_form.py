"""Unicode's forms of a text, where it may be long and made to take long."""

import pytest

from pouf_core.contract.classes import ClassName, match_labels
from pouf_core.contract.normal_form import MOST_MARKS, normalized
from pouf_core.data.headings import folded

ABOVE, BELOW = "\u0301", "\u0316"  # Unicode's order is the other way round


@pytest.mark.parametrize(
    "text", ["", "plain " * 100, "cafe" + ABOVE, "각" * 50, "e" + (ABOVE + BELOW) * (MOST_MARKS // 2)]
)
def test_texts_that_people_write_have_one_form(text):
    assert normalized("NFC", normalized("NFKD", text)) == normalized("NFC", text)


def test_marks_are_put_in_order_as_many_as_a_letter_may_have():
    assert normalized("NFKD", "e" + ABOVE + BELOW) == "e" + BELOW + ABOVE
    assert normalized("NFKD", "e" + (ABOVE + BELOW) * 15) == "e" + BELOW * 15 + ABOVE * 15


def test_a_letter_with_more_marks_is_left_as_it_is():
    label = "e" + (ABOVE + BELOW) * 16
    other_order = "e" + (BELOW + ABOVE) * 16
    assert normalized("NFC", label) == label
    assert match_labels([other_order], [ClassName(name=label), ClassName(name="b")]) == {}
    assert folded(label) != folded(other_order)
