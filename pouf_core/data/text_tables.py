"""Which columns of a table hold texts and labels, told from its first rows."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from pouf_core.errors import InvalidInput

SNIFFED_CHARACTERS = 65_536
SNIFFED_ROWS = 200
_DELIMITERS = ",;\t|"
_TEXT, _LABEL = "text", "label"
PAIR = ("text_a", "text_b")
"""Names of the columns, or of the fields of an object, that hold a pair of texts."""


@dataclass(frozen=True)
class Columns:
    """Places of a table's columns.

    Attributes:
        text: index of the column with texts, or with the first texts of pairs.
        label: index of the column with evaluation labels, or None.
        has_header: whether the first row names the columns.
        text_pair: index of the column with the second texts of pairs, or None.
    """

    text: int
    label: int | None
    has_header: bool
    text_pair: int | None = None


def sniff_dialect(head: str) -> type[csv.Dialect]:
    """The dialect of a table by its beginning: comma-separated, unless it looks otherwise."""
    try:
        return csv.Sniffer().sniff(head, delimiters=_DELIMITERS)
    except csv.Error:  # one column only, or nothing regular
        return csv.excel


def columns_of(rows: Sequence[Sequence[str]], text_column: str | None, label_column: str | None) -> Columns:
    """Find the columns of a table.

    The column with texts is the one that is asked for, else the one named `text`, else two named `text_a` and `text_b`
    hold pairs, else it is the only one that holds words
    rather than numbers or repeated labels. A first row that names one of these is a header.

    Args:
        rows: the first rows, at least one.
        text_column, label_column: names from the header, or None.

    Raises:
        InvalidInput: `text_column_not_found`, `label_column_not_found`, or `text_column_ambiguous` with the columns
            there are.
    """
    header = [cell.strip().casefold() for cell in rows[0]]
    wanted_text = (text_column or _TEXT).strip().casefold()
    wanted_label = (label_column or _LABEL).strip().casefold()
    if text_column is not None and wanted_text not in header:
        raise _not_found("text_column_not_found", text_column, rows[0])
    if label_column is not None and wanted_label not in header:
        raise _not_found("label_column_not_found", label_column, rows[0])
    label = header.index(wanted_label) if wanted_label in header else None
    if wanted_text in header:
        return Columns(header.index(wanted_text), label, has_header=True)
    if all(name in header for name in PAIR):
        return Columns(header.index(PAIR[0]), label, has_header=True, text_pair=header.index(PAIR[1]))
    body = rows[1:] if label is not None else rows
    candidates = [index for index in range(len(header)) if index != label and _holds_texts(body, index)]
    if len(candidates) != 1:
        raise InvalidInput(
            "text_column_ambiguous",
            f"{len(candidates)} columns hold texts; name one `text`. The first row is: {', '.join(rows[0])[:200]}.",
        )
    return Columns(candidates[0], label, has_header=label is not None)


def _holds_texts(rows: Sequence[Sequence[str]], index: int) -> bool:
    cells = [row[index].strip() for row in rows if index < len(row) and row[index].strip()]
    return bool(cells) and 2 * sum(" " in cell and not _is_number(cell) for cell in cells) > len(cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _not_found(code: str, column: str, header: Sequence[str]) -> InvalidInput:
    message = f"The table has no column {column!r}; its first row is: {', '.join(header)[:200]}."
    return InvalidInput(code, message)
