"""Cursors: opaque to clients, the last row's position to us, so pages stay stable while rows come and go."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from app.http.errors import invalid

T = TypeVar("T")


def encode_cursor(position: str | int) -> str:
    """Return the cursor that stands for the row at `position`."""
    return base64.urlsafe_b64encode(str(position).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> str | None:
    """Return the position that `cursor` stands for; raises 422 ``invalid_cursor``."""
    if cursor is None:
        return None
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise _bad_cursor() from error


def decode_number(cursor: str | None) -> int | None:
    """Return the number that `cursor` stands for; raises 422 ``invalid_cursor``."""
    position = decode_cursor(cursor)
    if position is None:
        return None
    if not position.isdigit() or len(position) > 18:
        raise _bad_cursor()
    return int(position)


def page(
    rows: Sequence[T], limit: int, show: Callable[[T], dict[str, Any]], position: Callable[[T], str | int]
) -> dict[str, Any]:
    """Return the list document for `rows`, of which the caller fetched up to ``limit + 1``."""
    shown = rows[:limit]
    has_more = len(rows) > limit
    return {
        "object": "list",
        "data": [show(row) for row in shown],
        "has_more": has_more,
        "next_cursor": encode_cursor(position(shown[-1])) if has_more else None,
    }


def _bad_cursor() -> Exception:
    return invalid("invalid_cursor", "Use `next_cursor` of the previous page, unchanged.", "/query/cursor")
