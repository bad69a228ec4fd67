"""Which columns of a table hold texts and labels, told from its first rows."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from pouf_core.errors import InvalidInput

SNIFFED_CHARACTERS = 65_536
SNIFFED_ROWS = 200
_DELIMITERS = ",;\t|"
#: Names of the columns, or of the fields of an object, that hold a text, a pair of texts, and an evaluation label.
TEXT, PAIR, LABEL = "text", ("text_a", "text_b"), "label"


@dataclass(frozen=True)
class Columns:
    """Which columns of a table hold what.

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
    """Find the columns of a table. The first of these rules that applies tells where the texts are:

    1. in the column that is asked for;
    2. in the column named `text`;
    3. in the columns named `text_a` and `text_b`, which hold pairs;
    4. in the only column that holds words rather than numbers or single words.

    A first row that names one of these columns, or the column with labels, is a header.

    Args:
        rows: the first rows, at least one.
        text_column, label_column: names from the header, or None.

    Raises:
        InvalidInput: `text_column_not_found`, `label_column_not_found`, or `text_column_ambiguous` with the columns
            there are.
    """
    header = rows[0]
    text = _column(header, text_column, TEXT, "text_column_not_found")
    label = _column(header, label_column, LABEL, "label_column_not_found")
    if text is not None:
        return Columns(text, label, has_header=True)
    first, second = (_find(header, name) for name in PAIR)
    if first is not None and second is not None:
        return Columns(first, label, has_header=True, text_pair=second)
    has_header = label is not None
    return Columns(_only_texts(rows, label, has_header=has_header), label, has_header=has_header)


def _column(header: Sequence[str], asked_for: str | None, usual: str, code: str) -> int | None:
    """The column that is asked for, which has to be there, else the one with the usual name."""
    found = _find(header, asked_for or usual)
    if found is None and asked_for is not None:
        message = f"The table has no column {asked_for!r}; its first row is: {', '.join(header)[:200]}."
        raise InvalidInput(code, message)
    return found


def _find(header: Sequence[str], name: str) -> int | None:
    names = [cell.strip().casefold() for cell in header]
    wanted = name.strip().casefold()
    return names.index(wanted) if wanted in names else None


def _only_texts(rows: Sequence[Sequence[str]], label: int | None, *, has_header: bool) -> int:
    header, body = rows[0], rows[1:] if has_header else rows
    candidates = [index for index in range(len(header)) if index != label and _holds_texts(body, index)]
    if len(candidates) != 1:
        raise InvalidInput(
            "text_column_ambiguous",
            f"{len(candidates)} columns hold texts; name one `text`. The first row is: {', '.join(header)[:200]}.",
        )
    return candidates[0]


def _holds_texts(rows: Sequence[Sequence[str]], index: int) -> bool:
    cells = [row[index].strip() for row in rows if index < len(row) and row[index].strip()]
    return bool(cells) and 2 * sum(" " in cell and not _is_number(cell) for cell in cells) > len(cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True
