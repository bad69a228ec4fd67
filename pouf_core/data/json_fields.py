"""Which fields of objects of JSON hold texts and labels, told from the first of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pouf_core.contract.findings import listed
from pouf_core.data.headings import LABELS, PAIRS, TEXTS, field_named
from pouf_core.data.labels.json_files import is_task_of_text
from pouf_core.data.table_rows import TableOptions
from pouf_core.data.text_tables import column_named, columns_of, holds_texts
from pouf_core.data.vector_advice import is_vector

_MOST_FIELDS = 1000  # that are looked at: of an object, and of all of them
_BETWEEN = "."
_LEVELS = 4  # of objects within objects


@dataclass(frozen=True)
class Fields:
    """The fields that a caller names, else those that hold texts and labels where none has a usual heading.

    Attributes:
        text, label, name: names of fields, or None; the last one of what the objects are called.
        is_said: whether a caller names the field of texts.
        is_label_said: whether a caller names the field of labels.
        is_nested: whether those of objects within the objects count.
        paths: what a caller names by the way to it: `data.review.raw`.
    """

    text: str | None = None
    label: str | None = None
    is_said: bool = False
    is_label_said: bool = False
    is_nested: bool = False
    name: str | None = None
    paths: tuple[str, ...] = ()

    def record_of(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """An object by the fields that count."""
        return _with_paths(flattened(value) if self.is_nested else value, value, self.paths)

    def text_of(self, record: Mapping[str, Any]) -> object:
        """The text of an object; None where it has none."""
        named = None if self.is_said else field_named(TEXTS, record)
        return _value(record, named or self.text)

    def label_of(self, record: Mapping[str, Any]) -> object:
        """The label of an object; None where it has none."""
        named = None if self.is_label_said else field_named(LABELS, record)
        return _value(record, named or self.label)

    def pair_in(self, record: Mapping[str, Any]) -> tuple[str, str] | None:
        """The fields with both texts of a pair, where an object holds one."""
        return None if self.is_said or TEXTS[0] in record else pair_in(record)


def pair_in(record: Mapping[str, Any]) -> tuple[str, str] | None:
    """The usual headings of a pair that an object has, or None."""
    return next((pair for pair in PAIRS if all(field in record for field in pair)), None)


def fields_of(values: Iterable[object], options: TableOptions) -> Fields:
    """The fields of objects, found as the columns of a table are; a name that these objects lack may come later.

    Where none holds texts, or has the name that is asked for, and one of the objects within does, these count too, as
    `flattened` names them.

    Args:
        values: the first ones.
        options: names of fields, or their numbers, from 0, in the order in which they occur.

    Raises:
        AmbiguousTable: the objects do not tell which field holds the texts.
    """
    given = [value for value in values if isinstance(value, dict) and not is_task_of_text(value)]
    paths = tuple(asked for asked in (options.text_column, options.label_column) if asked and _BETWEEN in asked)
    objects = [_with_paths(one, one, paths) for one in given]
    within = [_with_paths(flattened(one), one, paths) for one in given]
    is_nested = not _tell_texts(objects, options.text_column) and _tell_texts(within, options.text_column)
    is_nested = is_nested or _lies_within(options.label_column, objects, within)
    if is_nested:
        objects = within
    names = _names(objects)
    text, label = (_known(names, asked) for asked in (options.text_column, options.label_column))
    is_said, is_label_said = options.text_column is not None, options.label_column is not None
    if not names or (is_said and text is None):
        return Fields(options.text_column, options.label_column, is_said, is_label_said, paths=paths)
    cells = [[str(one[name]) if _is_cell(one.get(name)) else "" for name in names] for one in objects]
    columns = columns_of([names, *cells], text, label, header=True)
    found, called = (None if column is None else names[column] for column in (columns.label, columns.name))
    later = options.label_column if label is None else None
    return Fields(names[columns.text], later or found, is_said, is_label_said, is_nested, called, paths)


def hold_vectors(values: Iterable[object], options: TableOptions) -> bool:
    """Whether what stands in a file are vectors, in objects or as they are, and no texts.

    Args:
        values: the first ones.
        options: as for `fields_of`.
    """
    given = [value for value in values if not isinstance(value, str)]
    objects = [flattened(value) for value in given if isinstance(value, dict)]
    if options.text_column is not None or _tell_texts(objects, None):
        return False
    vectors = [is_vector(one) for one in given if isinstance(one, list)]
    vectors += [any(map(is_vector, one.values())) for one in objects]
    return bool(vectors) and all(vectors)


def fields_in(value: Mapping[str, Any]) -> str:
    """A sentence that names the fields with texts, those of objects within the object by the way to them."""
    names = list(islice(_paths(value), _MOST_FIELDS))
    return f"The object has texts in {listed(names)}." if names else "The object has no texts."


def _paths(value: Mapping[str, Any], before: str = "", levels: int = _LEVELS) -> Iterator[str]:
    for name, one in value.items():
        if isinstance(one, str):
            yield before + name
        elif isinstance(one, dict) and levels > 1:
            yield from _paths(one, f"{before}{name}{_BETWEEN}", levels - 1)


def flattened(record: Mapping[str, Any], levels: int = _LEVELS) -> dict[str, Any]:
    """An object with the fields of the objects within it, which are `outer.inner` where there is the name already."""
    flat = {name: value for name, value in record.items() if not isinstance(value, dict)}
    for outer, value in record.items():
        if isinstance(value, dict):
            inner = flattened(value, levels - 1) if levels > 1 else value
            flat |= {f"{outer}.{name}" if name in flat else name: one for name, one in inner.items()}
    return flat


def _with_paths(record: Mapping[str, Any], value: Mapping[str, Any], paths: Sequence[str]) -> Mapping[str, Any]:
    """A record of an object, and what lies in that at these paths."""
    found = {path: _at(value, path) for path in paths if path not in record}
    return {**record, **found} if found else record


def _at(value: object, path: str) -> object:
    for name in path.split(_BETWEEN):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _tell_texts(objects: Sequence[Mapping[str, Any]], asked: str | None) -> bool:
    """Whether a field has the name that is asked for, or a usual one, or holds texts."""
    names = _names(objects)
    if asked is not None:
        return _known(names, asked) is not None
    if any(isinstance(one.get(field_named(TEXTS, one) or ""), str) or pair_in(one) for one in objects):
        return True
    return any(holds_texts([one[name] for one in objects if isinstance(one.get(name), str)]) for name in names)


def _lies_within(asked: str | None, objects: Sequence[Mapping[str, Any]], within: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the field that is asked for is one of objects within the objects alone."""
    return _known(_names(objects), asked) is None and _known(_names(within), asked) is not None


def _names(objects: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fields in the order in which they occur; of too many, those in most objects."""
    counts = Counter[str]()
    for one in objects:
        counts.update(islice((name for name, value in one.items() if _is_cell(value)), _MOST_FIELDS))
    most = {name for name, _ in counts.most_common(_MOST_FIELDS)}
    return [name for name in counts if name in most]


def _value(record: Mapping[str, Any], field: str | None) -> object:
    return record.get(field) if field is not None else None


def _known(names: Sequence[str], asked: str | None) -> str | None:
    return asked if asked is not None and column_named(names, asked) is not None else None


def _is_cell(value: object) -> bool:
    return isinstance(value, str | int | float)
