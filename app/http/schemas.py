"""Types that several resources share."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator

NAME = Annotated[str, StringConstraints(min_length=1, max_length=200)]
ALIAS_NAME = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"), Field(description="Letters, digits, `._-`.")
]


def _at_most_16(value: dict[str, str]) -> dict[str, str]:
    if len(value) > 16:
        raise ValueError("metadata holds at most 16 pairs.")
    return value


METADATA = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=64)],
        Annotated[str, StringConstraints(max_length=512)],
    ],
    AfterValidator(_at_most_16),
    Field(description="At most 16 pairs; keys up to 64 characters, values up to 512."),
]


class Closed(BaseModel):
    """A request part that refuses fields it does not know."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*")
    @classmethod
    def _refuse_unstorable_text(cls, value: Any) -> Any:
        if _has_unstorable_text(value):
            raise ValueError("Text must be valid Unicode without NUL characters.")
        return value


def _has_unstorable_text(value: Any) -> bool:
    """Tell whether `value` holds what neither database can store: NUL characters or lone surrogates."""
    if isinstance(value, str):
        return "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, Mapping):
        return any(_has_unstorable_text(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple):
        return any(map(_has_unstorable_text, value))
    return False


def timestamp(value: datetime | None) -> str | None:
    """Return RFC 3339 in UTC, e.g. ``2026-01-31T12:00:00.123456Z``."""
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def problem_schema() -> dict[str, Any]:
    """Return the JSON schema of every error answer."""
    text = {"type": "string"}
    parts = ("pointer", "code", "message")
    field = {"type": "object", "properties": dict.fromkeys(parts, text), "required": list(parts)}
    names = ("type", "title", "detail", "instance", "code", "request_id")
    properties = dict.fromkeys(names, text) | {
        "status": {"type": "integer"},
        "errors": {"type": "array", "items": field},
    }
    return {"type": "object", "properties": properties, "required": sorted(properties), "additionalProperties": False}


def error_body(code: str | None, message: str | None) -> dict[str, Any] | None:
    """Return ``{code, message}``, or None where there was no error."""
    return None if code is None else {"code": code, "message": message or ""}


DocumentT = TypeVar("DocumentT")


class ListDocument(Closed, Generic[DocumentT]):
    """One page of a list."""

    object: Literal["list"]
    data: list[DocumentT]
    has_more: bool
    next_cursor: str | None


class ErrorBody(Closed):
    """Why something failed."""

    code: str
    message: str


class Note(Closed):
    """A finding: `code` for programs, `message` for people."""

    code: str
    message: str
