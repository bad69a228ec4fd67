import io
import json

from rich.console import Console

from cli.root import say_error
from cli.terminal import json_text, literal

CLEAR, OF_ONE_BYTE, BACKWARDS = "\x1b[2J", "\x9b2J", "\u202egnp.exe"


def test_a_literal_text_is_printed_without_commands_and_markup():
    file = io.StringIO()
    Console(file=file, force_terminal=True, color_system=None).print(literal(f"[red]{CLEAR}"))
    assert file.getvalue() == "[red]\N{REPLACEMENT CHARACTER}[2J\n"


def test_json_says_the_same_without_commands():
    document = {"name": f"{CLEAR}{OF_ONE_BYTE}{BACKWARDS}\x7fä"}
    written = json_text(document)
    assert json.loads(written) == document
    assert written.isprintable()
    assert "ä" in written


def test_an_error_gives_a_terminal_no_commands(capsys):
    say_error(f"{CLEAR} is no file")
    assert "\x1b" not in capsys.readouterr().err
