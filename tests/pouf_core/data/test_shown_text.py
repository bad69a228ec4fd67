import pytest

from pouf_core.data.shown_text import harmless, showable

CLEAR, TITLE, OF_ONE_BYTE, BACKWARDS = "\x1b[2J", "\x1b]0;title\x07", "\x9b2J", "\u202egnp.exe"


@pytest.mark.parametrize("cleaned", [harmless, showable])
@pytest.mark.parametrize("command", [CLEAR, TITLE, OF_ONE_BYTE, BACKWARDS, "good\rbad", "a\x08b", "a\x7f", "\u2066a"])
def test_a_text_gives_a_terminal_no_commands(cleaned, command):
    shown = cleaned(command)
    assert len(shown) == len(command)
    assert shown.isprintable()
    assert "\N{REPLACEMENT CHARACTER}" in shown


@pytest.mark.parametrize("text", ["two\nlines", "two\r\nlines", "a\tb", "ä 漢 👩\u200d🚀 \u200eשלום", "[bold]"])
def test_an_ordinary_text_stays_as_it_is(text):
    assert harmless(text) == text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("two\nlines", "two\ufffdlines"),
        ("a\tb", "a\ufffdb"),
        ("\u200eab", "\ufffdab"),
        ("\udc80a", "?a"),
        ("ä 漢", "ä 漢"),
    ],
)
def test_a_name_is_one_line_that_a_database_stores(name, shown):
    assert showable(name) == shown
