"""Types that several resources share."""

from collections.abc import Mapping
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from pouf_core.contract.method import BASELINE_SETTINGS
from pouf_core.contract.request import AdaptationRequest
from pouf_core.contract.result import PartialResult
from store.summaries import summary_of, without_vectors
from store.tables import AdaptedModel, Job
from store.unreadable import warnings_about

#: Each unknown field is an error of its own, up to so many.
MAX_UNKNOWN_FIELDS = 50

NAME = Annotated[str, StringConstraints(min_length=1, max_length=200)]


def told_as(words: str) -> WrapValidator:
    """What is wrong with a value in words, where pydantic would show a pattern."""

    def check(value: Any, check_it: ValidatorFunctionWrapHandler) -> Any:
        try:
            return check_it(value)
        except ValidationError as error:
            if any(each["type"] == "string_pattern_mismatch" for each in error.errors()):
                raise ValueError(words) from error
            raise

    return WrapValidator(check)


ALIAS_NAME = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"),
    told_as("An alias has letters, digits and ._- only, at most 63, and begins with a letter or a digit."),
    Field(description="Letters, digits, `._-`."),
]


DELETED = Annotated[bool, Field(description="Whether what that id names was deleted; `urls` then lead to none of it.")]


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


class Document(BaseModel):
    """An answer or a part of one; it has the fields that the OpenAPI document says, and no others."""

    model_config = ConfigDict(extra="forbid")


class Closed(BaseModel):
    """A request part that refuses fields it does not know."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _refuse_many_unknown_fields(cls, values: object) -> object:
        if isinstance(values, dict) and len(values) > len(cls.model_fields) + MAX_UNKNOWN_FIELDS:
            raise ValueError(f"There are {len(values):,} fields; at most {len(cls.model_fields)} are known.")
        return values

    @field_validator("*")
    @classmethod
    def _refuse_unstorable_text(cls, value: object) -> object:
        return refuse_unstorable_text(value)


def refuse_unstorable_text(value: object) -> object:
    """Return `value`; raises `ValueError` where it holds text that no database can store."""
    if _has_unstorable_text(value):
        raise ValueError("Text must be valid Unicode without NUL characters.")
    return value


def _has_unstorable_text(value: object) -> bool:
    """Tell whether `value` holds what neither database can store: NUL characters or lone surrogates."""
    if isinstance(value, str):
        return "\x00" in value or not _is_encodable(value)
    if isinstance(value, Mapping):
        return any(_has_unstorable_text(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple):
        try:
            return _has_unstorable_text("".join(value))  # a long list of texts, looked at in C
        except TypeError:
            return any(map(_has_unstorable_text, value))
    return False


def _is_encodable(value: str) -> bool:
    """Tell whether there are no lone surrogates in `value`; encoding looks at the characters far faster than we can."""
    try:
        value.isascii() or value.encode()
    except UnicodeEncodeError:
        return False
    return True


DocumentT = TypeVar("DocumentT")


class ListDocument(Document, Generic[DocumentT]):
    """One page of a list."""

    object: Literal["list"]
    data: list[DocumentT]
    has_more: bool
    next_cursor: str | None


class ErrorBody(Document):
    """Why something failed."""

    code: str
    message: str

    @classmethod
    def of(cls, code: str | None, message: str | None) -> "ErrorBody | None":
        """Return the error, or None where there was none."""
        return None if code is None else cls(code=code, message=message or "")


#: Of documents that hold a result: they have no other fields, and all of those that they have.
RESULT_CONFIG = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)


def show_summary(row: Job | AdaptedModel) -> dict[str, Any]:
    """Return the fields of a row's request and result that lists show; the method is as in `show_result`."""
    requested: dict[str, Any] = summary_of(row.request) if row.summary is None else row.summary
    fields = row.result.model_dump()
    unread = warnings_about(row.result) if row.summary is not None else warnings_about(row.request, row.result)
    fields["warnings"] += [warning.model_dump() for warning in unread]
    return {**requested, **fields, "method": without_vectors(fields["method"] or requested["method"])}


def show_result(request: AdaptationRequest, result: PartialResult) -> dict[str, Any]:
    """Return the fields of what is known of a result; the method is the requested one until it is resolved."""
    fields = result.model_dump()
    fields["warnings"] += [warning.model_dump() for warning in warnings_about(request, result)]
    if result.method is None:  # without the settings that a baseline does not have
        fields["method"] = request.method.model_dump(include=BASELINE_SETTINGS.get(request.method.type))
    return fields
