"""What is said to a terminal: no text of a file or a service may give it commands."""

import json
import re

from rich.text import Text

from pouf_core.data.shown_text import COMMANDS, harmless

_COMMAND = re.compile(f"[{COMMANDS}]")


def literal(text: str, style: str = "") -> Text:
    """Text as it is, whatever looks like markup in it, and harmless."""
    return Text(harmless(text), style)


def json_text(value: object, indent: int | None = None) -> str:
    """JSON in which characters that command a terminal are escaped: it says the same."""
    written = json.dumps(value, indent=indent, ensure_ascii=False)
    return _COMMAND.sub(lambda found: f"\\u{ord(found[0]):04x}", written)
