"""What is said to a terminal: no text of a file or a service may give it commands."""

import json
import re

from rich.text import Text

_TURNS_WRITING = "\u202a-\u202e\u2066-\u2069"
# a line break alone, or behind a carriage return, and a tab stay
_COMMANDS = re.compile(f"\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_TURNS_WRITING}]")
#: What JSON does not escape by itself.
_COMMANDS_IN_JSON = re.compile(f"[\x7f-\x9f{_TURNS_WRITING}]")


def harmless(text: str) -> str:
    """Text with U+FFFD in place of control characters, and of what turns the direction of writing."""
    return _COMMANDS.sub("\N{REPLACEMENT CHARACTER}", text)


def literal(text: str, style: str = "") -> Text:
    """Text as it is, whatever looks like markup in it, and harmless."""
    return Text(harmless(text), style)


def json_text(value: object, indent: int | None = None) -> str:
    """JSON in which such characters are escaped: it says the same."""
    written = json.dumps(value, indent=indent, ensure_ascii=False)
    return _COMMANDS_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", written)
