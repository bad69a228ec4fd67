"""Which columns of a table hold texts and labels, told from its first rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from pouf_core.contract.file_reading import ColumnCandidate, shown_text
from pouf_core.contract.findings import listed
from pouf_core.data.headings import (
    KEYS,
    KEYS_OF_TRACKERS,
    LABEL_ENDS,
    LABELS,
    PAIRS,
    RATINGS,
    ROW_NAMES,
    TEXT_OF_TRACKERS,
    TEXTS,
    folded,
)
from pouf_core.data.vector_advice import LEAST_WIDTH, LISTS_IN_CELLS, are_vectors, how_to_save
from pouf_core.errors import InvalidInput

_LETTERS = re.compile(r"[^\W\d_]{2,}")
_UNSPACED = re.compile(
    r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]{2,}"
)  # scripts without spaces, and Korean
_SENTENCE_MARKS = re.compile(r"[.!?,;。！？，；]")
_OF_TIMES = re.compile(
    r"(mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*|am|pm|gmt|utc|[a-z]{1,3}t",
    re.IGNORECASE,
)
_LONGEST_HEADING = 40
_MOST_WORDS = 100  # that are looked at
_MOST = 0.8  # of the cells of a column, for what is said of it


_MOST_CANDIDATES = 20
_EXAMPLES, _LONGEST_EXAMPLE = 3, 80


class AmbiguousTable(InvalidInput):
    """`table_ambiguous`: the rows do not tell which column holds the texts.

    Attributes:
        candidates: the columns that hold texts, or all where none does.
    """

    def __init__(self, message: str, candidates: Sequence[ColumnCandidate]) -> None:
        super().__init__("table_ambiguous", message, field="/text_column")
        self.candidates = list(candidates)


@dataclass(frozen=True)
class Columns:
    """Which columns of a table hold what.

    Attributes:
        text: index of the column with texts, or with the first texts of pairs.
        label: index of the column with evaluation labels, or None.
        has_header: whether the first row names the columns.
        text_pair: index of the column with the second texts of pairs, or None.
        name: index of the column with what the rows are called, or None.
    """

    text: int
    label: int | None
    has_header: bool
    text_pair: int | None = None
    name: int | None = None


def columns_of(
    rows: Sequence[Sequence[str]],
    text_column: str | None = None,
    label_column: str | None = None,
    header: bool | None = None,
) -> Columns:
    """Find the columns of a table. The first of these rules that applies tells where the texts are:

    1. in the column that is asked for;
    2. in the columns named `text_a` and `text_b`, or as other pairs are, where none is named `text`;
    3. in the column with the first of the usual headings (see `pouf_core.data.headings`);
    4. in the only column that holds texts rather than numbers, names or single words; of several, in the only one whose
       values do not recur.

    Labels are in the column that is asked for or has a usual heading, else in the first of those headed as ratings are,
    or as `…_sentiment`, whose values recur, else in the only other one whose values recur. What rows are called is in
    the first column headed as such columns are whose values are all there, and differ.

    Args:
        rows: the first rows, at least one.
        text_column, label_column: names from the header, or numbers of columns, from 0; or None.
        header: whether the first row is a header; None to tell by the rows.

    Raises:
        InvalidInput: `text_column_not_found`, `label_column_not_found`, or `AmbiguousTable`.
    """
    names = [folded(cell) for cell in rows[0]]
    text = _asked_for(rows[0], text_column, "text_column_not_found")
    label = _asked_for(rows[0], label_column, "label_column_not_found")
    pair = None
    if header is not False:
        if text is None:
            text, pair = _named_texts(names)
        label = _first_of(LABELS, names) if label is None else label
    if header is None:
        named = {_named(names, text, text_column), _named(names, label, label_column)}
        header = True in named or _is_header(rows)
    body = rows[1:] if header else rows
    if text is None:
        text = _only_texts(rows[0] if header else None, body, label)
    if label in (None, text):
        label = _rating(names, body, text) if header else None
    if label is None and pair is None:
        label = _only_recurring(names if header else (), body, text)
    name = _naming(names, body, {text, pair, label}) if header else None
    return Columns(text, label, header, pair, name)


def _named_texts(names: Sequence[str]) -> tuple[int | None, int | None]:
    """The columns that a header names for texts, and for the second ones of pairs."""
    pair = next((pair for pair in PAIRS if all(name in names for name in pair)), None)
    if TEXTS[0] not in names and pair is not None:
        return names.index(pair[0]), names.index(pair[1])
    if TEXT_OF_TRACKERS in names and any(key in names for key in KEYS_OF_TRACKERS):
        return names.index(TEXT_OF_TRACKERS), None
    return _first_of(TEXTS, names), None


def _asked_for(header: Sequence[str], name: str | None, code: str) -> int | None:
    if name is None:
        return None
    found = column_named(header, name)
    if found is None:
        raise InvalidInput(code, f"The table has no column {name!r}; its first row is: {listed(header)}.")
    return found


def column_named(header: Sequence[str], name: str) -> int | None:
    """The column of that name, or of that number, from 0; None where there is none."""
    if name in header:
        return header.index(name)
    names = [folded(cell) for cell in header]
    if folded(name) in names:
        return names.index(folded(name))
    return int(name) if name.isascii() and name.isdigit() and int(name) < len(header) else None


def _named(names: Sequence[str], column: int | None, asked_for: str | None) -> bool:
    """Whether a column was found by its name in the first row, not by its number."""
    return column is not None and (asked_for is None or names[column] == folded(asked_for))


def _first_of(headings: Sequence[str], names: Sequence[str]) -> int | None:
    return next((names.index(heading) for heading in headings if heading in names), None)


def _only_texts(header: Sequence[str] | None, body: Sequence[Sequence[str]], label: int | None) -> int:
    width = max(map(len, body), default=len(header or ()))
    if width == 1:
        return 0
    found = [index for index in range(width) if index != label and holds_texts(_cells(body, index))]
    if len(found) > 1:  # what recurs may be a class
        found = [index for index in found if not _repeats(_cells(body, index))] or found
    if len(found) == 1:
        return found[0]
    candidates = [_candidate(index, header, body) for index in (found or range(width))[:_MOST_CANDIDATES]]
    said = f"{len(found)} columns hold texts." if found else f"No column holds texts.{_of_vectors(body, width)}"
    raise AmbiguousTable(
        f"{said} Name the column with the texts, or its number, as text_column, or head it `text`. "
        + "; ".join(candidate.in_words() for candidate in candidates)[:1000],
        candidates,
    )


def _of_vectors(body: Sequence[Sequence[str]], width: int) -> str:
    """What to do if the rows are vectors, where they may be; the cells of a row, or a list in one of them."""
    columns = [_cells(body, index) for index in range(width)]
    if any(map(are_vectors, columns)):
        kind = LISTS_IN_CELLS
    elif sum(bool(cells) and all(map(is_number, cells)) for cells in columns) >= LEAST_WIDTH:
        kind = ".csv"
    else:
        return ""
    return f" If its rows are vectors, they are no texts.{how_to_save(kind)}"


def _candidate(index: int, header: Sequence[str] | None, body: Sequence[Sequence[str]]) -> ColumnCandidate:
    heading = shown_text(header[index]) if header is not None and index < len(header) else None
    examples = [shown_text(cell[:_LONGEST_EXAMPLE]) for cell in _cells(body, index)[:_EXAMPLES]]
    return ColumnCandidate(column=index, heading=heading, examples=examples)


def _rating(names: Sequence[str], body: Sequence[Sequence[str]], text: int) -> int | None:
    """The first column beside the texts whose heading says that it may be of labels, and whose values recur."""
    headed = [names.index(heading) for heading in RATINGS if heading in names]
    headed += [index for index, name in enumerate(names) if name.endswith(LABEL_ENDS)]
    return next((index for index in headed if index != text and recur(_cells(body, index))), None)


def _naming(names: Sequence[str], body: Sequence[Sequence[str]], others: Set[int | None]) -> int | None:
    headed = (names.index(heading) for heading in ROW_NAMES if heading in names)
    return next((index for index in headed if index not in others and _differ(_cells(body, index), len(body))), None)


def _differ(cells: Sequence[str], count: int) -> bool:
    return 0 < len(set(cells)) == len(cells) == count


def _only_recurring(names: Sequence[str], body: Sequence[Sequence[str]], text: int) -> int | None:
    """The only column beside the texts that has few values, more than one; None where there is none or several.

    None headed as keys are counts: several rows of one key are no class.
    """
    keys = {index for index, name in enumerate(names) if name in KEYS}
    width = max(map(len, body), default=0)
    others = (index for index in range(width) if index != text and index not in keys)
    found = [index for index in others if recur(_cells(body, index))]
    return found[0] if len(found) == 1 else None


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row says what the others hold, by how it differs from them."""
    first, body = rows[0], rows[1:]
    if not body or not any(cell.strip() for cell in first):
        return False
    width = max(map(len, body))
    columns = [(first[index].strip() if index < len(first) else "", _cells(body, index)) for index in range(width)]
    if any(cell and recur(cells) and cell in cells for cell, cells in columns):
        return False
    return any(_names(cell, cells) for cell, cells in columns)


def _names(cell: str, cells: Sequence[str]) -> bool:
    """Whether a cell is unlike those below it as a heading is: a word above numbers, values that recur, or texts."""
    if not cell or not cells or is_number(cell):
        return False
    if _share(map(is_number, cells)) >= _MOST:
        return True  # of any length: a question, maybe
    if len(cell) > _LONGEST_HEADING:
        return False
    if recur(cells):
        return True
    shorter = _share(len(cell) < len(other) for other in cells) >= _MOST
    return shorter and holds_texts(cells) and not _SENTENCE_MARKS.search(cell) and not _is_text(cell)


def _cells(rows: Sequence[Sequence[str]], index: int) -> list[str]:
    return [row[index].strip() for row in rows if index < len(row) and row[index].strip()]


def _repeats(cells: Sequence[str]) -> bool:
    """Whether values recur, or there is one alone."""
    return recur(cells) or (len(cells) > 1 and len(set(cells)) == 1)


def recur(cells: Sequence[str]) -> bool:
    """Whether a column has two values or more, each of which occurs about twice or oftener."""
    return 2 <= len(set(cells)) <= len(cells) / 2


def holds_texts(cells: Sequence[str]) -> bool:
    """Whether most of the cells are texts rather than numbers, names, times or single words."""
    return _share(map(_is_text, cells)) > 0.5


def _is_text(cell: str) -> bool:
    """Two words apart, which addresses, keys and times are not, or as much in a script that has no spaces."""
    words = [word for word in cell.split()[:_MOST_WORDS] if _LETTERS.search(word)]
    if ":" in cell:
        words = [word for word in words if not _OF_TIMES.fullmatch(re.sub(r"[\W\d]", "", word))]
    return len(words) >= 2 or len("".join(_UNSPACED.findall(cell))) >= 4


def is_number(cell: str) -> bool:
    """Whether a cell is a number, with a point or a comma."""
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _share(found: Iterable[bool]) -> float:
    values = list(found)
    return sum(values) / len(values) if values else 0.0
