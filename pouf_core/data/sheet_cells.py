"""Cells of workbooks and of Arrow's tables, as a person sees them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Any

from pouf_core.contract.item_limits import MAX_CHARACTERS
from pouf_core.errors import InvalidInput

MOST_COLUMNS = 1000


def check_width(columns: int) -> None:
    """Raise `InvalidInput` `malformed_table` for more than `MOST_COLUMNS`."""
    if columns > MOST_COLUMNS:
        raise InvalidInput("malformed_table", f"The table has {columns:,} columns; at most {MOST_COLUMNS:,} are read.")


def texts_of(cells: Iterable[Any]) -> list[str]:
    """Cells as a person sees them; of a long text enough to be refused for its length."""
    return [_text(cell)[: MAX_CHARACTERS + 1] for cell in cells]


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))  # workbooks hold no other numbers than these
    return cell.isoformat() if isinstance(cell, date | datetime | time) else str(cell)
