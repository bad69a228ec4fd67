"""Tables that name pictures: what is sent is the pictures, with their labels beside them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from pouf_client.errors import InvalidInput, MissingFile
from pouf_client.files import PICTURE_SUFFIXES, expanded
from pouf_client.in_memory import Columns
from pouf_client.inputs import PATH_COLUMNS, hold_vectors

CSV_SUFFIXES = frozenset({".csv", ".tsv"})
DELIMITERS = ",;\t|"
#: How people write a tab, as the service takes it, too.
TABS = ("tab", "\\t")
LABEL_COLUMN = "label"
#: Usual headings of labels; the service knows more.
LABEL_COLUMNS = (LABEL_COLUMN, "labels", "class", "class_name", "category", "target", "species", "breed", "y")
#: Headings of what recurs, too, and is no label.
SPLITS = ("split", "subset", "set", "fold")
#: Of a file, how many rows tell whether it names pictures.
FIRST_ROWS = 50

Entries = list[tuple[str, Path | bytes]]


@dataclass(frozen=True)
class PictureTable:
    """The names of pictures, a row each, and the label of each where there are labels."""

    names: list[str]
    labels: list[Any] | None
    folder: Path

    def entries(self) -> Entries:
        """The members of an archive: the pictures, each once, and their labels in `labels.csv`.

        They are called as the table calls them, or by their places below a folder that has them all.

        Raises:
            MissingFile: a picture is not there.
        """
        places = {name: self._place(name) for name in self.names}
        called = _called(places)
        entries: dict[str, Path | bytes] = {called[name]: place for name, place in places.items()}
        if self.labels is not None:
            text = io.StringIO()
            writer = csv.writer(text)
            writer.writerow(("file", "label"))
            rows = zip(self.names, self.labels, strict=True)
            writer.writerows((called[name], label) for name, label in rows if _is_stated(label))
            entries["labels.csv"] = text.getvalue().encode()
        return list(entries.items())

    def _place(self, name: str) -> Path:
        for place in (self.folder / expanded(name), expanded(name)):
            if _is_there(place):
                return place.resolve()
        message = (
            f"The table names pictures, but {name!r} in row {self.names.index(name)}, counted from 0, is not there: "
            "give paths that lead from here or from the table's folder; or modality='text', if these are texts."
        )
        raise MissingFile(message, code="file_not_found", field="source")


def pictures_in(columns: Columns, label_column: str | None, folder: Path, *, asked_for: bool) -> PictureTable | None:
    """The pictures that a table names; None where it names none.

    Args:
        columns: of the table.
        label_column: the column with labels; None: the one that is headed as such columns are, or alone has values
            that recur.
        folder: what the names lead from, beside the present folder.
        asked_for: whether it was said that these are pictures.

    Raises:
        InvalidInput: pictures were asked for, and no column names them; a row names none; or there is no such column
            with labels.
    """
    column = _picture_column(columns, label_column or LABEL_COLUMN)
    if column is None:
        if asked_for:
            message = "No column of the table names pictures: each cell of it would be the path of one, such as a.jpg."
            raise InvalidInput(message, code="column_not_told", field="source")
        return None
    names = [os.fspath(value) for value in columns[column] if _is_stated(value)]
    others = {name: values for name, values in columns.items() if name != column}
    labels = label_column or _label_column(others)
    beside = {name: others[name] for name in others.keys() - {labels}}
    holds_items = hold_vectors(beside) or any(isinstance(value, str) for values in beside.values() for value in values)
    # beside texts or vectors, file names may only say where these come from
    if holds_items and not asked_for and not any(_is_there(folder / name) or _is_there(Path(name)) for name in names):
        return None
    if len(names) < len(columns[column]):
        row = next(index for index, value in enumerate(columns[column]) if not _is_stated(value))
        message = f"Column {column!r} names pictures, but none in row {row}, counted from 0: fill it, or leave it out."
        raise InvalidInput(message, code="missing_path", field="source")
    if labels is not None and labels not in others:
        message = f"The table has no column {labels!r} with labels; it has {', '.join(map(repr, columns))}."
        raise InvalidInput(message, code="label_column_not_found", field="label_column")
    return PictureTable(names, None if labels is None else others[labels], folder)


def pictures_listed_in(
    path: Path, label_column: str | None, delimiter: str | None, *, asked_for: bool
) -> PictureTable | None:
    """As `pictures_in`, of a .csv or .tsv file in UTF-8, told by its first rows; None of any other file."""
    if path.suffix.lower() not in CSV_SUFFIXES:
        return None
    for most in (FIRST_ROWS, None):
        rows = _rows(path, delimiter, most)
        if rows is None:
            return None
        columns = _columns(rows, label_column or LABEL_COLUMN)
        table = pictures_in(columns, label_column, path.parent, asked_for=asked_for)
        if table is None:
            return None
    return table


def _rows(path: Path, delimiter: str | None, most: int | None) -> list[list[str]] | None:
    """The first rows, or all, without empty ones; None where the service is to say what is wrong with the file."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            between = "\t" if delimiter in TABS else delimiter or max(DELIMITERS, key=file.readline().count)
            file.seek(0)
            rows = csv.reader(file, delimiter=between)
            return [row for row in islice(rows, most) if any(map(str.strip, row))]
    except (ValueError, TypeError, csv.Error):
        return None


def _picture_column(columns: Columns, label_column: str) -> str | None:
    named = [name for name, values in columns.items() if name != label_column and _name_pictures(values)]
    return next((name for name in named if name.lower() in PATH_COLUMNS), next(iter(named), None))


def _label_column(columns: Columns) -> str | None:
    """Of the columns beside the pictures', the one with labels, if it can be told."""
    headed = {name.strip().lower(): name for name in reversed(columns)}
    if "x" in headed:  # beside it, y is a coordinate
        headed.pop("y", None)
    usual = next((headed[heading] for heading in LABEL_COLUMNS if heading in headed), None)
    recurring = [name for heading, name in headed.items() if heading not in SPLITS and _recur(columns[name])]
    return usual or (recurring[0] if len(recurring) == 1 else None)


def _recur(values: Sequence[Any]) -> bool:
    """Whether there are several values, each twice on average."""
    stated = [value for value in values if _is_stated(value)]
    return all(isinstance(value, str | int) for value in stated) and 2 <= len(set(stated)) <= len(stated) / 2


def _columns(rows: Sequence[Sequence[str]], label_column: str) -> Columns:
    """By the names in the first row, unless it names a picture itself; then a second column has the labels."""
    if not rows:
        return {}
    headed = not any(map(_names_a_picture, rows[0]))
    names = rows[0] if headed else [PATH_COLUMNS[0], label_column] if len(rows[0]) == 2 else list(_numbers(rows[0]))
    values = rows[1:] if headed else rows
    return {name: [row[index] if index < len(row) else None for row in values] for index, name in enumerate(names)}


def _numbers(row: Sequence[str]) -> Iterator[str]:
    return map(str, range(len(row)))


def _is_stated(value: Any) -> bool:
    return value is not None and not (isinstance(value, str) and not value)


def _name_pictures(values: Sequence[Any]) -> bool:
    stated = [value for value in values if _is_stated(value)]
    return bool(stated) and all(map(_names_a_picture, stated))


def _names_a_picture(value: Any) -> bool:
    if not isinstance(value, str | os.PathLike):
        return False
    text = os.fspath(value)
    return isinstance(text, str) and "\n" not in text and PurePosixPath(text).suffix.lower() in PICTURE_SUFFIXES


def _is_there(place: Path) -> bool:
    try:
        return place.is_file()
    except (OSError, ValueError):  # no path at all
        return False


def _called(places: dict[str, Path]) -> dict[str, str]:
    as_given = {name: PurePosixPath(name) for name in places}
    if all(not path.is_absolute() and ".." not in path.parts and path.parts[0] != "~" for path in as_given.values()):
        return {name: str(path) for name, path in as_given.items()}
    above = Path(os.path.commonpath([place.parent for place in places.values()]))
    return {name: place.relative_to(above).as_posix() for name, place in places.items()}
