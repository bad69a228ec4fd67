"""How answers look in notebooks: a small table of what matters, with every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

#: Rows of a table at most; what is more is counted.
MOST_ROWS = 20


def facts(title: str, shown: Mapping[str, object]) -> str:
    """A table of names and values as HTML; values that are None are left out."""
    rows = [(name, _text(value)) for name, value in shown.items() if value is not None]
    return _table(title, (), rows)


def rows(title: str, head: Sequence[str], shown: Iterable[Sequence[object]]) -> str:
    """A table of rows as HTML, the first of them where there are many."""
    return _table(title, head, [[_text(value) for value in row] for row in shown])


def percent(share: float | None) -> str | None:
    """A share as a percentage."""
    return None if share is None else f"{100 * share:.1f} %"


def _text(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _table(title: str, head: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    lines = [f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>"] if head else []
    lines += [f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in cells[:MOST_ROWS]]
    if len(cells) > MOST_ROWS:
        lines.append(f"<tr><td>and {len(cells) - MOST_ROWS:,} more</td></tr>")
    return f"<table><caption>{escape(title)}</caption>{''.join(lines)}</table>"
