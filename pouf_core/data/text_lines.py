"""Texts a line each, and what people write beside them on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pouf_core.data.text_rows import BadRow, Row, empty_line, row_of
from pouf_core.data.text_tables import is_number
from pouf_core.data.vector_advice import DECIMAL_COMMAS, LEAST_WIDTH

_DELIMITERS = "\t;|"
#: Of SST, and of TREC.
_LABEL_FIRST = re.compile(r"(\d|[A-Z]{2,}:[a-z]+)\s+(.*)", re.DOTALL)
_LABELS_OF_FASTTEXT = re.compile(r"\s*((?:__label__\S+\s+)+)(.*)", re.DOTALL)
_LONGEST_LABEL_WORDS = 3
_DECIMAL_COMMA = re.compile(r"\d,\d+\s*;")
_BETWEEN_NUMBERS = re.compile(r"[\s,;|\[\](){}]+")


def rows_of_lines(lines: Iterable[tuple[int, str | BadRow]], head: str = "") -> Iterator[Row]:
    """A text a line; with the labels before it that fastText writes, as `__label__pos good film`, or sets of sentences.

    Args:
        lines: where they stand, and what they are.
        head: the beginning of the file, which tells whether each line begins with a label, as `1 good film`.
    """
    begins_with_label = _begin_with_labels(head)
    for position, line in lines:
        if isinstance(line, BadRow):
            yield line
        elif not line.strip():
            yield empty_line(position)
        else:
            if begins_with_label and (parts := _LABEL_FIRST.fullmatch(line)):
                yield row_of(position, parts[2], parts[1])
                continue
            labelled = _LABELS_OF_FASTTEXT.fullmatch(line)
            text, labels = (labelled[2], labelled[1].split()) if labelled else (line, [])
            yield row_of(position, text, [label.removeprefix("__label__") for label in labels])


def delimiter_of_lines(head: str) -> str | None:
    """What divides every line into cells, so that the lines are a table; None where they are texts.

    Tabs do where all lines have equally many, or the first one less; bars, where all have equally many, two or more; a
    semicolon or a bar, where each line has one, and behind it there are few short values that recur, as labels do.
    """
    lines = _whole_lines(head)
    if len(lines) < 2:
        return None
    for delimiter in _DELIMITERS:
        counts = {line.count(delimiter) for line in lines}
        names_rows = delimiter == "\t" and 0 < lines[0].count("\t") == min(counts) == max(counts) - 1
        if names_rows and len({line.count("\t") for line in lines[1:]}) == 1:
            return delimiter
        if len(counts) > 1 or 0 in counts:
            continue
        if (
            delimiter == "\t"
            or (delimiter == "|" and counts != {1})
            or (counts == {1} and _are_labels([line.partition(delimiter)[2] for line in lines]))
        ):
            return delimiter
    return None


def vectors_in(head: str, suffix: str) -> str | None:
    """How vectors are written, as `how_to_save` takes it, that stand in the lines of a file in place of texts, or None.

    In a table they are told by its columns, unless commas are before decimals as well as between them.

    Args:
        head: the beginning of the file, of which each line holds a vector's numbers, behind a word or alone; but the
            first, which may hold headings, or how many they are.
        suffix: of its name.
    """
    lines = _whole_lines(head)
    if not lines or not all(map(_is_of_vector, lines[1:] or lines)):
        return None
    if all(map(_DECIMAL_COMMA.search, lines[1:] or lines)):
        return DECIMAL_COMMAS
    return suffix if suffix == ".txt" else None


def _is_of_vector(line: str) -> bool:
    cells = [cell for cell in _BETWEEN_NUMBERS.split(line) if cell]
    numbers = cells if not cells or is_number(cells[0]) else cells[1:]
    return len(numbers) >= LEAST_WIDTH and all(map(is_number, numbers))


def _begin_with_labels(head: str) -> bool:
    found = [_LABEL_FIRST.fullmatch(line) for line in _whole_lines(head)]
    return len(found) > 2 and all(found) and _are_labels([parts[1] for parts in found if parts])


def _whole_lines(head: str) -> list[str]:
    """Those that are not empty, without the last one of several, which may be cut."""
    lines = [line for line in head.splitlines() if line.strip()]
    return lines[:-1] if len(lines) > 2 else lines


def _are_labels(cells: list[str]) -> bool:
    names = {cell.strip() for cell in cells}
    return 2 <= len(names) <= len(cells) / 2 and all(0 < len(name.split()) <= _LONGEST_LABEL_WORDS for name in names)
