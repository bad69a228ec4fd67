"""Documents that were stored as another version had them, and that this one cannot validate.

One such row must neither hide the others nor stop what goes through all of them: what can be read of it is read, and it
is marked, so that it is shown with a warning and never run.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pouf_core.contract.findings import Finding, finding
from pouf_core.contract.request import AdaptationRequest
from pouf_core.contract.result import PartialResult

CODE = "stored_document_unreadable"
MESSAGE = (
    "This was stored by another version of the service, which this one cannot read in full: fields are missing here. "
    "Create the job anew, or go back to the version that stored it."
)


class Unreadable:
    """Marks a document of which only parts could be read."""


class UnreadableRequest(Unreadable, AdaptationRequest):
    """What could be read of a request."""

    class_names: list[Any] = []
    prompt_template: str | list[str] | None = []


class UnreadableResult(Unreadable, PartialResult):
    """What could be read of a result."""


UnreadableT = TypeVar("UnreadableT", bound=BaseModel)


def what_can_be_read(value: object, unreadable: type[UnreadableT]) -> UnreadableT:
    """The fields of a stored document that can be read; the others have their defaults.

    Args:
        value: the stored JSON.
        unreadable: a document whose fields all have defaults.
    """
    fields = dict(value) if isinstance(value, dict) else {}
    while True:
        try:
            return unreadable.model_validate(fields)
        except ValidationError as error:
            wrong = {str(found["loc"][0]) for found in error.errors() if found["loc"]} & fields.keys()
            fields = {name: item for name, item in fields.items() if wrong and name not in wrong}


def warnings_about(*documents: BaseModel) -> list[Finding]:
    """The warning to show beside documents of which one could not be read in full."""
    return [finding(CODE, MESSAGE)] if any(isinstance(one, Unreadable) for one in documents) else []
