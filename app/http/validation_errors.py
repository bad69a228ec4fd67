"""What pydantic finds wrong with a request, in our form."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from app.http.errors import MAX_ERRORS, ApiError, FieldError, several

OBJECT_TYPES = {"dict_type", "model_type", "model_attributes_type", "dataclass_type"}


def from_validation_errors(errors: Iterable[Mapping[str, Any]], body: object) -> ApiError:
    """Return the API's form of pydantic's `errors` about `body`."""
    found = list(islice(errors, MAX_ERRORS))
    if any(error["type"] == "json_invalid" for error in found):
        return malformed_json()
    by_pointer: dict[str, list[FieldError]] = {}
    for error in found:
        pointer = _pointer(error, body)
        by_pointer.setdefault(pointer, []).append(FieldError(pointer, _code(error), _message(error)))
    return several(_merged(same) for same in by_pointer.values())


def malformed_json() -> ApiError:
    """Return the 400 for a body that is no JSON."""
    return ApiError(400, "malformed_json", "The request body is not valid JSON.")


def _merged(errors: list[FieldError]) -> FieldError:
    """Make one error of what the branches of a union say about the same value."""
    if len(errors) == 1:
        return errors[0]
    codes = {error.code for error in errors}
    messages = dict.fromkeys(error.message for error in errors)
    return FieldError(errors[0].pointer, codes.pop() if len(codes) == 1 else "invalid_value", " or: ".join(messages))


def _code(error: Mapping[str, Any]) -> str:
    kind = error["type"]
    if kind == "extra_forbidden":
        return "unknown_field"
    if kind == "missing":
        return "missing_field"
    return "invalid_type" if kind.endswith(("_type", "_parsing")) else "invalid_value"


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "This field is not known."
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    # pydantic's own words for an object are Python's
    return "Input should be an object" if error["type"] in OBJECT_TYPES else str(error["msg"])


def _pointer(error: Mapping[str, Any], body: object) -> str:
    place, *path = error["loc"] or ("body",)
    if place != "body":
        return "/" + "/".join(_escape(part) for part in (place, *path))
    kept: list[str | int] = []
    value: Any = body
    for part in path:
        # pydantic names the branches of unions too; only what the caller wrote belongs in a pointer
        present = part in value if isinstance(value, dict) else isinstance(value, list) and isinstance(part, int)
        if present:
            kept.append(part)
            value = value[part]
        elif error["type"] == "missing" and part == path[-1]:
            kept.append(part)
    return "".join(f"/{_escape(part)}" for part in kept)


def _escape(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")
