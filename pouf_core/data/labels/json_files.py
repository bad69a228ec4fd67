"""JSON files that say the labels of pictures, told apart by what they hold."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pouf_core.contract.labels import LabelFileFormat
from pouf_core.data.headings import FILES, TEXTS, field_named
from pouf_core.data.labels.tables import Rows, labels_in_rows
from pouf_core.data.labels.tool_json import file_of, objects, rows_of_tool
from pouf_core.data.text_rows import label_of

_MOST_FIELDS = 1000  # that are looked at: of an object, and of all of them
_COCO = ("images", "annotations", "categories")
_DATUMARO = ("dm_format_version", "categories", "items")


def rows_of_json(text: str, *, lines: bool, label_field: str | None = None) -> tuple[LabelFileFormat, Rows] | None:
    """Files and their labels, and what format says them; None where the JSON says no labels of files.

    Args:
        text: the document.
        lines: whether it is an object a line.
        label_field: of objects with a file and a label each; None where it is to be told.

    Raises:
        ValueError, RecursionError: it is not JSON.
        InvalidInput: as `labels_in_rows`, of objects of which each has a file and a label.
    """
    document = [json.loads(line) for line in text.split("\n") if line.strip()] if lines else json.loads(text)
    if isinstance(document, Mapping) and all(isinstance(document.get(part), list) for part in _COCO):
        return "coco", _of_coco(document)
    if isinstance(document, Mapping) and all(document.get(part) for part in _DATUMARO):
        return "datumaro", _of_datumaro(document)
    by_tool = rows_of_tool(document)
    if by_tool is not None:
        return by_tool
    if not isinstance(document, list) or not document or not all(isinstance(one, Mapping) for one in document):
        return None
    if all(map(is_task, document)):
        return "label_studio", [(file, label) for task in document for file, label in _of_task(task)]
    found = labels_in_rows(_as_table(document), label_field)
    return "guessed_table" if found.is_guess else "records", list(found.pairs)


def _as_table(records: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    """The fields as a header, and the cells of each record: one without a label may lack the field."""
    counts = Counter(name for one in records for name in islice(one, _MOST_FIELDS))
    most = {name for name, _ in counts.most_common(_MOST_FIELDS)}
    names = [name for name in counts if name in most]
    yield names
    for one in records:
        yield [_scalar(one.get(name)) or "" for name in names]


def is_task(value: object) -> bool:
    """Whether this is a task as Label Studio exports it."""
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("data"), Mapping)
        and isinstance(value.get("annotations", value.get("completions", [])), list)
    )


def is_task_of_text(value: object) -> bool:
    """Whether this is such a task, and one of texts for all that is known: annotated, or with a text."""
    if not is_task(value):
        return False
    task: Mapping[str, Any] = value  # type: ignore[assignment]
    return not task.keys().isdisjoint(("annotations", "completions")) or isinstance(text_of_task(task), str)


def choices(task: Mapping[str, Any]) -> Iterator[str]:
    """The class of each annotation of a task that names exactly one; predictions of models are none."""
    for annotation in objects(task.get("annotations", task.get("completions"))):
        if annotation.get("was_cancelled"):
            continue
        values = [one.get("value") for one in objects(annotation.get("result"))]
        found = [choice for value in objects(values) for choice in _list(value.get("choices"))]
        label = label_of(found[0]) if len(found) == 1 else None
        if label is not None:
            yield label


def text_of_task(task: Mapping[str, Any]) -> object:
    """The text of a task: the field with a usual heading, else the only string; None where there is none."""
    data = task["data"]
    field = field_named(TEXTS, data)
    if field is not None:
        return data[field]
    texts = [value for value in data.values() if isinstance(value, str)]
    return texts[0] if len(texts) == 1 else None


def _of_coco(document: Mapping[str, Any]) -> Rows:
    """The pictures that show exactly one category."""
    categories = {str(one.get("id")): label_of(one.get("name")) for one in objects(document["categories"])}
    shown: dict[str, set[str]] = defaultdict(set)
    for annotation in objects(document["annotations"]):
        name = categories.get(str(annotation.get("category_id")))
        if name is not None:
            shown[str(annotation.get("image_id"))].add(name)
    pictures = [(one.get("file_name"), shown.get(str(one.get("id")), set())) for one in objects(document["images"])]
    return [(file, min(names)) for file, names in pictures if isinstance(file, str) and len(names) == 1]


def _of_datumaro(document: Mapping[str, Any]) -> Rows:
    """The pictures of exactly one class: of those that they are labelled with, else of those that are drawn."""
    categories = _object(_object(document["categories"]).get("label")).get("labels")
    names = [label_of(one.get("name")) for one in objects(categories)]
    rows: Rows = []
    for item in objects(document["items"]):
        annotations = [one for one in objects(item.get("annotations")) if isinstance(one.get("label_id"), int)]
        said = [one for one in annotations if one.get("type") == "label"] or annotations
        classes = {names[one["label_id"]] for one in said if 0 <= one["label_id"] < len(names)} - {None}
        file = _object(item.get("image")).get("path") or item.get("id")
        if isinstance(file, str) and len(classes) == 1:
            rows += [(file, label) for label in classes if label is not None]
    return rows


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _scalar(value: object) -> str | None:
    return label_of(value) if isinstance(value, str | int | float) else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _of_task(task: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    data = task["data"]
    field = field_named(FILES, data)
    place = data.get(field) if field is not None else None
    if isinstance(place, str):
        for label in choices(task):
            yield file_of(place), label
