"""How answers are shown: a table for people, or the API's JSON for programs, on stdout; all else goes to stderr."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from cli.terminal import json_text, literal

AsJson = Annotated[bool, typer.Option("--json", help="Print the API's JSON, unabridged.")]
PIPED_WIDTH = 1000

notes = Console(stderr=True, highlight=False)


def note(line: str, style: str = "") -> None:
    """A line for people, beside the answer."""
    notes.print(literal(line, style), soft_wrap=True)


def print_json(document: object) -> None:
    """A document as the API sent it."""
    sys.stdout.write(json_text(document, indent=2) + "\n")


def print_list(documents: Sequence[Mapping[str, Any]], *, more: bool = False) -> None:
    """Documents as the list that the API makes of them."""
    print_json({"object": "list", "data": list(documents), "has_more": more})


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows under headings; what is piped into other programs is not cut."""
    first, *others = headings
    table = Table(Column(first, no_wrap=True, overflow="ignore"), *others, box=None, header_style="bold")
    for row in rows:
        table.add_row(*(literal(shown(cell)) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    console.print(table)


def print_fields(fields: Mapping[str, object]) -> None:
    """A line for each field that has a value."""
    console = Console(highlight=False)
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        if value not in (None, "", [], {}):
            console.print(literal(f"{name:<{width}}  {shown(value)}"), soft_wrap=True)


def shown(value: object) -> str:
    """A value in words."""
    if value is None:
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {shown(each)}" for name, each in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def moment(text: str | None) -> str | None:
    """A time of the API in the local time zone, to the minute."""
    return None if text is None else f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M}"
