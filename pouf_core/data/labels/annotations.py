"""The classes that annotators gave to texts, in objects as Argilla and spaCy write them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from pouf_core.data.headings import LABELS, field_named
from pouf_core.data.text_rows import label_of

_ANSWERS = ".responses"
_SUBMITTED = (None, "submitted")


def annotated_classes(record: Mapping[str, Any]) -> set[str] | None:
    """The classes that an object's annotations say; None where it has none, or none was submitted.

    Args:
        record: with `cats` of spaCy, of which those of 1 count, or answers to questions of Argilla (`responses`, or
            `label.responses`), of which the question counts that is headed as labels are, or the only one.
    """
    categories = record.get("cats")
    if isinstance(categories, Mapping) and categories and all(_is_share(one) for one in categories.values()):
        return {name for name, share in categories.items() if share == 1}
    answers = defaultdict[str, list[str]](list)
    for question, value in _answers(record):
        label = label_of(value)
        if label is not None:
            answers[question].append(label)
    asked = field_named(LABELS, answers) or (next(iter(answers)) if len(answers) == 1 else None)
    return set(answers[asked]) if asked is not None else None


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1


def _answers(record: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Questions, and what was submitted to them."""
    responses = record.get("responses")
    if isinstance(responses, Mapping):
        for question, given in responses.items():
            yield from ((question, one.get("value")) for one in _submitted(given))
    for one in _submitted(responses):
        values = one.get("values")
        if isinstance(values, Mapping):
            yield from ((name, given.get("value")) for name, given in values.items() if isinstance(given, Mapping))
    for name, given in record.items():
        if name.endswith(_ANSWERS) and isinstance(given, list):
            states = record.get(f"{name}.status")
            states = states if isinstance(states, list) and len(states) == len(given) else [None] * len(given)
            question = name.removesuffix(_ANSWERS)
            yield from ((question, one) for one, state in zip(given, states, strict=True) if state in _SUBMITTED)


def _submitted(responses: object) -> Iterator[Mapping[str, Any]]:
    for one in responses if isinstance(responses, list) else []:
        if isinstance(one, Mapping) and one.get("status") in _SUBMITTED:
            yield one
