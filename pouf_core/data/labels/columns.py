"""Which columns of a table name pictures, and which say their labels, told from its first rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pouf_core.data.file_kinds import PICTURE_SUFFIXES
from pouf_core.data.headings import FILES, LABEL_ENDS, PICTURE_LABELS, SPLITS, folded
from pouf_core.data.text_rows import label_of

_MOST = 0.8  # of the rows, for what is said of a column
_KEY = "id"  # heads pictures' names and running numbers alike
_MARKS = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True)
class LabelColumns:
    """The columns of a table of labels.

    Attributes:
        file: index of the column that names pictures.
        labels: index of the column with labels; or of those that stand for a class each, of which one is marked.
        names: of the classes, where columns stand for them.
        has_header: whether the first row names the columns.
        is_guess: whether the labels' heading does not tell it.
    """

    file: int
    labels: tuple[int, ...]
    names: tuple[str, ...]
    has_header: bool
    is_guess: bool

    def pair(self, row: Sequence[str]) -> tuple[str, str] | None:
        """The picture and the label of a row; None where it lacks either, or several classes are marked."""
        file = _cell(row, self.file)
        if not self.names:
            label = label_of(_cell(row, self.labels[0]))
        else:
            marked = [name for at, name in zip(self.labels, self.names, strict=True) if _mark(_cell(row, at))]
            label = label_of(marked[0]) if len(marked) == 1 else None
        return (file, label) if file and label is not None else None


@dataclass(frozen=True)
class Missing:
    """What a table has no column of.

    Attributes:
        what: `files`, or `labels`.
        candidates: headings of which one may be that of the labels.
    """

    what: Literal["files", "labels"]
    candidates: tuple[str, ...] = ()


def label_columns(rows: Rows, asked: str | None = None) -> LabelColumns | Missing:
    """The columns of a table by its first rows; or what it has no column of.

    Pictures are named by the column with a usual heading, else by the first one whose cells end as names of pictures
    do. Labels are in the column with a usual heading, else in columns of 0 and 1 for a class each, else in the only
    one whose values recur, or the only other one of a table without headings.

    Args:
        rows: the first ones.
        asked: the heading of the column with labels, or its number, from 0; None where that is to be told.
    """
    header = [folded(cell) for cell in rows[0]] if rows else []
    has_header = not any(map(names_a_picture, rows[0])) if rows else False
    body = rows[1:] if has_header else rows
    if not has_header:
        header = [""] * len(header)
    file = _file_column(header, body)
    if file is None:
        return Missing("files")
    names = [cell.strip() for cell in rows[0]] if has_header else []
    if asked is not None:
        at = _asked_for(names, header, asked)
        return Missing("labels", tuple(names)) if at is None else LabelColumns(file, (at,), (), has_header, False)
    label = _headed(header, file)
    if label is not None:
        return LabelColumns(file, (label,), (), has_header, is_guess=False)
    others = [at for at, name in enumerate(header) if at != file and name not in SPLITS]
    others = [at for at in others if header[at] != _KEY] or others
    marks = [at for at in others if _holds_marks(body, at)]
    if len(marks) > 1 and has_header and _one_is_marked(body, marks):
        return LabelColumns(file, tuple(marks), tuple(rows[0][at].strip() for at in marks), has_header, is_guess=True)
    found = others if len(others) == 1 and not has_header else [at for at in others if _recurs(body, at)]
    if len(found) != 1:
        return Missing("labels", tuple(names[at] for at in found if has_header))
    return LabelColumns(file, (found[0],), (), has_header, is_guess=True)


def _asked_for(names: Sequence[str], header: Sequence[str], asked: str) -> int | None:
    """The column of that heading, else of that in any case, else of that number."""
    for known, wanted in ((names, asked.strip()), (header, folded(asked))):
        if wanted in known:
            return known.index(wanted)
    return int(asked) if asked.isascii() and asked.isdecimal() and int(asked) < len(header) else None


def names_a_picture(cell: str) -> bool:
    """Whether a cell ends as names of pictures do."""
    return cell.strip().lower().endswith(PICTURE_SUFFIXES)


def _file_column(header: Sequence[str], body: Rows) -> int | None:
    headed = next((header.index(heading) for heading in FILES if heading in header), None)
    if headed is not None and header[headed] != _KEY:
        return headed
    naming = (at for at in range(len(header)) if (cells := _cells(body, at)) and _share(map(names_a_picture, cells)))
    return next(naming, headed)


def _headed(header: Sequence[str], file: int) -> int | None:
    """The column that is headed as labels are: beside an `x`, `y` is a coordinate."""
    names = ["" if at == file or (name == "y" and "x" in header) else name for at, name in enumerate(header)]
    usual = next((names.index(heading) for heading in PICTURE_LABELS if heading in names), None)
    ending = (at for at, name in enumerate(names) if name.endswith(LABEL_ENDS))
    return next(ending, None) if usual is None else usual


def _holds_marks(body: Rows, at: int) -> bool:
    cells = _cells(body, at)
    return bool(cells) and all(cell.lower() in _MARKS for cell in cells)


def _one_is_marked(body: Rows, marks: Sequence[int]) -> bool:
    return _share(sum(_mark(_cell(row, at)) for at in marks) == 1 for row in body)


def _mark(cell: str) -> bool:
    return _MARKS.get(cell.lower(), False)


def _recurs(body: Rows, at: int) -> bool:
    cells = _cells(body, at)
    return 2 <= len(set(cells)) <= len(cells) / 2


def _cells(body: Rows, at: int) -> list[str]:
    return [cell for row in body if (cell := _cell(row, at))]


def _cell(row: Sequence[str], at: int) -> str:
    return row[at].strip() if at < len(row) else ""


def _share(found: Iterable[bool]) -> bool:
    values = list(found)
    return bool(values) and sum(values) >= _MOST * len(values)
