"""Tables that say the labels of pictures: `labels.csv`, in the many ways in which people write it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from pouf_core.data.encodings import detect_encoding
from pouf_core.data.headings import FILES, PICTURE_LABELS, folded
from pouf_core.data.table_rows import opened_table
from pouf_core.data.text_rows import label_of
from pouf_core.errors import InvalidInput


def read_labels(data: bytes, most_rows: int) -> list[tuple[str, str]]:
    """Files and their labels, in order; rows without either are left out.

    Args:
        data: the table, with headings such as `file,label`, `image;class` or `path,target`, in any encoding.
        most_rows: that it may have.

    Raises:
        InvalidInput: `labels_unreadable`.
    """
    encoding = detect_encoding(data)
    try:
        text = data.decode(encoding.name)
    except UnicodeDecodeError as error:
        raise _unreadable(f"It is not in {encoding.name}, which most of it is in: {error}.") from error
    found: list[tuple[str, str]] = []
    try:
        _, rows = opened_table(io.StringIO(text, newline=""))
        file, label = _columns(next((row for row in rows if row), []))
        for count, row in enumerate(rows, start=1):
            if count > most_rows:
                raise _unreadable(f"It and the tables before it may have {most_rows:,} rows.")
            cells = [row[index].strip() if index < len(row) else "" for index in (file, label)]
            said = label_of(cells[1])
            if cells[0] and said is not None:
                found.append((cells[0], said))
    except csv.Error as error:
        raise _unreadable(f"It is no table: {error}.") from error
    return found


def _columns(header: Sequence[str]) -> tuple[int, int]:
    names = [folded(cell) for cell in header]
    found = [next((names.index(one) for one in wanted if one in names), None) for wanted in (FILES, PICTURE_LABELS)]
    if None in found:
        missing = "file names" if found[0] is None else "labels"
        raise _unreadable(f"Its header has no column with {missing}; head the columns file and label.")
    file, label = found
    assert file is not None and label is not None
    return file, label


def _unreadable(reason: str) -> InvalidInput:
    return InvalidInput("labels_unreadable", f"labels.csv cannot be used. {reason}")
