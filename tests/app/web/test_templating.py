from types import SimpleNamespace

import pytest

from app.web.templating import environment, worded


@pytest.mark.parametrize(("more", "said"), [(1, "About 1 more answer would"), (2000, "About 2,000 more answers would")])
def test_nouns_go_with_their_numbers(more, said):
    one = SimpleNamespace(value=0.5, interval=(0.4, 0.6))
    found = SimpleNamespace(
        zero_shot=one,
        adapted=one,
        difference=one,
        classes=[],
        threshold=None,
        more_answers=more,
        wished_accuracy=0.9,
    )
    assert said in environment().get_template("measured.html.jinja").module.measured(found)


def test_what_messages_put_between_backticks_looks_like_code_and_markup_stays_text():
    assert worded("Choose `none` for <b>.") == "Choose <code>none</code> for &lt;b&gt;."
    assert worded("`<script>`") == "<code>&lt;script&gt;</code>"
