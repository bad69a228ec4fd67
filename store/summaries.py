"""What lists show of a request: all but what grows with the classes, kept beside it, so that it need not be read."""

import json
from typing import Any

from pydantic import BaseModel, JsonValue
from sqlalchemy import event, inspect

from pouf_core.contract.request import AdaptationRequest

#: Fields that grow with the classes.
LONG_FIELDS = {"class_names", "prompt_template", "label_words", "text_limits"}


def summary_of(request: AdaptationRequest) -> dict[str, JsonValue]:
    """Return the request without its long fields, and with `class_count`."""
    fields = request.model_dump(mode="json", exclude=LONG_FIELDS)
    return {**fields, "method": without_vectors(fields["method"]), "class_count": len(request.class_names)}


def without_vectors(method: dict[str, Any]) -> dict[str, Any]:
    """Return a method's fields without its class prior, where that is a number for each class."""
    prior = method.get("class_prior")
    return {name: value for name, value in method.items() if name != "class_prior" or not isinstance(prior, list)}


def document_bytes(*documents: BaseModel | None) -> int:
    """Return about how many bytes documents take in the database."""
    return sum(len(json.dumps(document.model_dump(mode="json"))) for document in documents if document is not None)


def keep_summaries(table: type[Any]) -> None:
    """Make rows of `table` carry `summary` and `document_bytes` of their `request` and `result` as these change."""

    def refresh(_mapper: object, _connection: object, row: Any) -> None:
        attributes = inspect(row).attrs
        if attributes.request.history.has_changes():
            row.summary = summary_of(row.request)
        if attributes.request.history.has_changes() or attributes.result.history.has_changes():
            row.document_bytes = document_bytes(row.request, row.result)

    event.listen(table, "before_insert", refresh)
    event.listen(table, "before_update", refresh)
