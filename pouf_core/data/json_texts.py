"""Texts in JSON, an object a line or all in one document, with the fields that hold them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import IO, Any

from pouf_core.data.dialects import SNIFFED_ROWS
from pouf_core.data.headings import LABELS, PAIRS, TEXTS, field_named
from pouf_core.data.labels.json_files import choices, is_task, text_of_task
from pouf_core.data.table_rows import TableOptions
from pouf_core.data.text_rows import BadRow, Row, pair_of, row_of
from pouf_core.data.text_tables import columns_of
from pouf_core.errors import InvalidInput

_LARGEST_DOCUMENT = 32 * 1024**2

Value = tuple[int, object]
"""Where a value stands, from 1, and the value; a `BadRow` where there is none."""


@dataclass(frozen=True)
class _Fields:
    """Those with texts and labels, of objects that have none with a usual heading."""

    text: str | None = None
    label: str | None = None


def rows_of_values(values: Iterable[Value], options: TableOptions) -> Iterator[Row]:
    """The texts of JSON values: of strings, of objects, and of tasks as Label Studio exports them.

    Raises:
        AmbiguousTable: the objects do not tell which field holds the texts.
    """
    rest = iter(values)
    first = list(islice(rest, SNIFFED_ROWS))
    fields = _fields_of([value for _, value in first], options)
    for position, value in chain(first, rest):
        yield value if isinstance(value, BadRow) else _row(position, value, options, fields)


def values_of_lines(lines: Iterable[tuple[int, str | BadRow]]) -> Iterator[Value]:
    """The value of each line."""
    for position, line in lines:
        if isinstance(line, BadRow):
            yield position, line
        elif not line.strip():
            yield position, BadRow(position, "empty_text", "The line is empty.", lost="nothing")
        else:
            yield position, _value(position, line)


def _value(position: int, line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        return BadRow(position, "malformed_json", f"Line {position} is not JSON: {error}")


def values_of_document(characters: IO[str]) -> Iterator[Value]:
    """The values of a document that is read whole: a list, an object around one, or columns as pandas writes them.

    Raises:
        InvalidInput: `malformed_json`, `item_too_large`.
    """
    content = characters.read(_LARGEST_DOCUMENT + 1)
    if len(content) > _LARGEST_DOCUMENT:
        message = f"A .json is read whole and may have {_LARGEST_DOCUMENT:,} characters; a .jsonl may have any number."
        raise InvalidInput("item_too_large", message)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("malformed_json", f"The file is not JSON: {error}") from error
    found = document if isinstance(document, list) else _list_in(document)
    if found is None:
        raise InvalidInput("malformed_json", 'The file must hold {"texts": […]} or a list.')
    return enumerate(found, start=1)


def is_document(head: str, suffix: str) -> bool:
    """Whether a file of JSON is one document rather than an object a line, by its beginning, which its name may belie.

    Args:
        head: the first characters.
        suffix: of its name.
    """
    if suffix != ".json":
        return head.lstrip("\ufeff \t\r\n").startswith("[")
    first, second = ([line for line in head.lstrip("\ufeff").splitlines() if line.strip()] + ["", ""])[:2]
    return not (second.startswith("{") and isinstance(_value(1, first), dict))


def _list_in(document: object) -> list[Any] | None:
    if not isinstance(document, Mapping):
        return None
    if isinstance(document.get("texts"), list):
        return list(document["texts"])
    columns = list(document.values())
    if len(columns) > 1 and all(isinstance(one, Mapping) and one.keys() == columns[0].keys() for one in columns):
        return [{name: document[name][row] for name in document} for row in columns[0]]
    lists = [one for one in columns if isinstance(one, list)]
    if len(columns) > 1 and len(lists) == len(columns) and len(set(map(len, lists))) == 1:
        return [dict(zip(document, row, strict=True)) for row in zip(*lists, strict=True)]
    return lists[0] if len(lists) == 1 and lists[0] else None


def _fields_of(values: Iterable[object], options: TableOptions) -> _Fields:
    """As the columns of a table are found."""
    objects = [value for value in values if isinstance(value, dict) and not is_task(value)]
    names = list(dict.fromkeys(name for one in objects for name, value in one.items() if _is_cell(value)))
    if not names or options.text_column is not None:
        return _Fields()
    cells = [[str(one[name]) if _is_cell(one.get(name)) else "" for name in names] for one in objects]
    label = options.label_column if options.label_column in names else None
    columns = columns_of([names, *cells], None, label, header=True)
    return _Fields(names[columns.text], names[columns.label] if columns.label is not None else None)


def _is_cell(value: object) -> bool:
    return isinstance(value, str | int | float)


def _row(position: int, value: object, options: TableOptions, fields: _Fields) -> Row:
    if not isinstance(value, dict):
        return row_of(position, value)
    if is_task(value):
        return _row_of_task(position, value, options)
    label = value.get(options.label_column or field_named(LABELS, value) or fields.label)
    pair = next((pair for pair in PAIRS if all(field in value for field in pair)), None)
    if options.text_column is None and TEXTS[0] not in value and pair is not None:
        first, second = pair
        return pair_of(position, value[first], value[second], label)
    return row_of(position, value.get(options.text_column or field_named(TEXTS, value) or fields.text), label)


def _row_of_task(position: int, task: Mapping[str, Any], options: TableOptions) -> Row:
    """The text of a task of Label Studio, with the one class that its annotations agree on."""
    data, chosen = task["data"], set(choices(task))
    text = text_of_task(task) if options.text_column is None else data.get(options.text_column)
    label = data.get(options.label_column) if options.label_column else min(chosen) if len(chosen) == 1 else None
    return row_of(position, text, label)
