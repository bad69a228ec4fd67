"""Texts a line each, and what people write beside them on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pouf_core.data.text_rows import BadRow, Row, empty_line, row_of

_DELIMITERS = "\t;|"
_LABELS_OF_FASTTEXT = re.compile(r"\s*((?:__label__\S+\s+)+)(.*)", re.DOTALL)
_LONGEST_LABEL_WORDS = 3


def rows_of_lines(lines: Iterable[tuple[int, str | BadRow]]) -> Iterator[Row]:
    """A text a line; with the labels before it that fastText writes, as `__label__pos good film`."""
    for position, line in lines:
        if isinstance(line, BadRow):
            yield line
        elif not line.strip():
            yield empty_line(position)
        else:
            labelled = _LABELS_OF_FASTTEXT.fullmatch(line)
            text, labels = (labelled[2], labelled[1].split()) if labelled else (line, [])
            yield row_of(position, text, [label.removeprefix("__label__") for label in labels])


def delimiter_of_lines(head: str) -> str | None:
    """What divides every line into cells, so that the lines are a table; None where they are texts.

    Tabs do where all lines have equally many, or the first one less; a semicolon or a bar does where each line has one,
    and what stands behind it are few short values that recur, as labels do.
    """
    lines = [line for line in head.splitlines() if line.strip()]
    lines = lines[:-1] if len(lines) > 2 else lines  # the last one may be cut
    if len(lines) < 2:
        return None
    for delimiter in _DELIMITERS:
        counts = {line.count(delimiter) for line in lines}
        names_rows = delimiter == "\t" and 0 < lines[0].count("\t") == min(counts) == max(counts) - 1
        if names_rows and len({line.count("\t") for line in lines[1:]}) == 1:
            return delimiter
        if len(counts) > 1 or 0 in counts:
            continue
        if delimiter == "\t" or (counts == {1} and _are_labels([line.partition(delimiter)[2] for line in lines])):
            return delimiter
    return None


def _are_labels(cells: list[str]) -> bool:
    names = {cell.strip() for cell in cells}
    return 2 <= len(names) <= len(cells) / 2 and all(0 < len(name.split()) <= _LONGEST_LABEL_WORDS for name in names)
