"""Texts in JSON, an object a line or all in one document, with the fields that hold them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import IO, Any

from pouf_core.data.dialects import SNIFFED_ROWS
from pouf_core.data.headings import TEXTS, field_named
from pouf_core.data.json_fields import Fields, fields_in, fields_of, hold_vectors, pair_in
from pouf_core.data.labels.annotations import annotated_classes
from pouf_core.data.labels.json_files import choices, is_task_of_text, text_of_task
from pouf_core.data.table_rows import TableOptions
from pouf_core.data.text_rows import BadRow, Row, called, empty_line, pair_of, row_of
from pouf_core.data.vector_advice import how_to_save
from pouf_core.errors import InvalidInput

_LARGEST_DOCUMENT = 32 * 1024**2
_CONVERSATION = (
    "The object is a conversation under `messages`. Write the text that is to be classified as `text`, and its class, "
    "where there is one, as `label`."
)
_SEVERAL = "Extra data"  # what Python says of a second value behind the first
_HOW_TO_WRITE_SEVERAL = " Write a list of the objects, or each on a line of its own, as `jq -c` does."
_SNIFFED_CHARACTERS = 262_144  # of lines: parsed, all that a line may hold can take a hundred times as much


def rows_of_json_lines(lines: Iterable[tuple[int, str | BadRow]], options: TableOptions) -> Iterator[Row]:
    """The texts of values, one a line: of strings, of objects, and of tasks as Label Studio exports them.

    Raises:
        InvalidInput: `no_text` of vectors; `AmbiguousTable` where the objects do not tell which field holds the texts.
    """
    rest = iter(lines)
    first = _first(rest)
    values = [value for _, value in _values(first)]
    _refuse_vectors(values, options, ".jsonl")
    fields = fields_of(values, options)
    return _rows(_values(chain(first, rest)), options, fields)


def rows_of_document(characters: IO[str], options: TableOptions) -> Iterator[Row]:
    """The texts of a document that is read whole: a list, an object around one, or columns as pandas writes them.

    Raises:
        InvalidInput: `malformed_json`, `item_too_large`; others as for lines.
    """
    values = _values_of_document(characters)
    _refuse_vectors(values[:SNIFFED_ROWS], options, ".json")
    return _rows(enumerate(values, start=1), options, fields_of(values[:SNIFFED_ROWS], options))


def _rows(values: Iterable[tuple[int, object]], options: TableOptions, fields: Fields) -> Iterator[Row]:
    for position, value in values:
        yield value if isinstance(value, BadRow) else _row(position, value, options, fields)


def _refuse_vectors(values: Sequence[object], options: TableOptions, suffix: str) -> None:
    if hold_vectors(values, options):
        raise InvalidInput("no_text", f"The file holds vectors, and no texts.{how_to_save(suffix)}")


def _first(lines: Iterator[tuple[int, str | BadRow]]) -> list[tuple[int, str | BadRow]]:
    """The lines that tell the fields: few, and of long ones fewer."""
    first, characters = [], 0
    for position, line in islice(lines, SNIFFED_ROWS):
        first.append((position, line))
        characters += len(line) if isinstance(line, str) else 0
        if characters >= _SNIFFED_CHARACTERS:
            break
    return first


def _values(lines: Iterable[tuple[int, str | BadRow]]) -> Iterator[tuple[int, object]]:
    """Where the value of each line stands, from 1, and the value; a `BadRow` where there is none."""
    for position, line in lines:
        if isinstance(line, BadRow):
            yield position, line
        elif not line.strip():
            yield position, empty_line(position)
        else:
            yield position, _value(position, line)


def _value(position: int, line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        return BadRow(position, "malformed_json", f"Line {position} is not JSON: {error}")


def _values_of_document(characters: IO[str]) -> list[Any]:
    content = characters.read(_LARGEST_DOCUMENT + 1)
    if len(content) > _LARGEST_DOCUMENT:
        message = f"A .json is read whole and may have {_LARGEST_DOCUMENT:,} characters; a .jsonl may have any number."
        raise InvalidInput("item_too_large", message)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        advice = _HOW_TO_WRITE_SEVERAL if _SEVERAL in str(error) else ""
        raise InvalidInput("malformed_json", f"The file is not JSON: {error}.{advice}") from error
    found = (_table_in(document) or document) if isinstance(document, list) else _list_in(document)
    if found is None:
        raise InvalidInput("malformed_json", 'The file must hold {"texts": […]} or a list.')
    return found


def _table_in(parts: list[Any]) -> list[Any] | None:
    """The rows of the only table that phpMyAdmin exported, which stands in a list with what is said of it."""
    tables = [one["data"] for one in parts if isinstance(one, dict) and one.get("type") == "table" and "data" in one]
    return tables[0] if len(tables) == 1 and isinstance(tables[0], list) else None


def is_document(head: str, suffix: str) -> bool:
    """Whether a file of JSON is one document rather than an object a line, by its beginning, which its name may belie.

    Args:
        head: the first characters.
        suffix: of its name.
    """
    first, second = ([line for line in head.lstrip("\ufeff").splitlines() if line.strip()] + ["", ""])[:2]
    if suffix == ".json":
        return not (second.startswith("{") and isinstance(_value(1, first), dict))
    return first.lstrip().startswith("[") and (not second or isinstance(_value(1, first), BadRow))


def _list_in(document: object) -> list[Any] | None:
    if not isinstance(document, Mapping):
        return None
    if isinstance(document.get("texts"), list):
        return list(document["texts"])
    names, rows = document.get("columns"), document.get("data")
    if isinstance(names, list) and isinstance(rows, list) and _fit(names, rows):
        return [dict(zip(map(str, names), row, strict=True)) for row in rows]  # `split` of pandas
    columns = list(document.values())
    if len(columns) > 1 and all(isinstance(one, Mapping) and _names_text(one) for one in columns):
        return columns  # by their ids
    if len(columns) > 1 and all(isinstance(one, Mapping) and one.keys() == columns[0].keys() for one in columns):
        return [{name: document[name][row] for name in document} for row in columns[0]]
    lists = [one for one in columns if isinstance(one, list)]
    if len(columns) > 1 and len(lists) == len(columns) and len(set(map(len, lists))) == 1:
        return [dict(zip(document, row, strict=True)) for row in zip(*lists, strict=True)]
    return lists[0] if len(lists) == 1 and lists[0] else None


def _fit(names: list[Any], rows: list[Any]) -> bool:
    """Whether each row has as many values as there are names."""
    return bool(rows) and all(isinstance(row, list) and len(row) == len(names) for row in rows)


def _names_text(record: Mapping[str, Any]) -> bool:
    return field_named(TEXTS, record) is not None or pair_in(record) is not None


def _row(position: int, value: object, options: TableOptions, fields: Fields) -> Row:
    if not isinstance(value, dict):
        return row_of(position, value)
    if is_task_of_text(value):
        return _row_of_task(position, value, options)
    record = fields.record_of(value)
    label = _label(value, record, fields)
    name = None if fields.name is None else record.get(fields.name)
    pair = fields.pair_in(record)
    if pair is not None:
        return called(pair_of(position, record[pair[0]], record[pair[1]], label), name)
    text = fields.text_of(record)
    if text is None and isinstance(value.get("messages"), list):
        return BadRow(position, "no_text", _CONVERSATION)
    if text is None and fields.is_said:
        return BadRow(position, "no_text", f"There is no {fields.text!r} with a text here. {fields_in(value)}")
    return called(row_of(position, text, label), name)


def _label(value: Mapping[str, Any], record: Mapping[str, Any], fields: Fields) -> object:
    """What annotators agree on, where there are any, else what the field says."""
    classes = None if fields.is_label_said else annotated_classes(value)
    return fields.label_of(record) if classes is None else list(classes)


def _row_of_task(position: int, task: Mapping[str, Any], options: TableOptions) -> Row:
    """The text of a task of Label Studio, with the one class that its annotations agree on."""
    data, chosen = task["data"], set(choices(task))
    text = text_of_task(task) if options.text_column is None else data.get(options.text_column)
    label = data.get(options.label_column) if options.label_column else min(chosen) if len(chosen) == 1 else None
    return row_of(position, text, label)
