"""What a body is, by its header."""

from starlette.datastructures import Headers

from app.http.errors import ApiError, FieldError

JSON = "application/json"
FORM = "multipart/form-data"


def content_type(headers: Headers) -> str:
    """Return the body's media type in lower case, without parameters; empty where the header is missing."""
    return headers.get("content-type", "").split(";")[0].strip().lower()


def is_json(headers: Headers) -> bool:
    """Tell whether the body is JSON by its content type; one without a type is."""
    kind = content_type(headers)
    return kind in ("", JSON) or kind.endswith("+json")


def wrong_content_type(headers: Headers, *wanted: str) -> ApiError:
    """Return the 415 that names the header to send."""
    given = content_type(headers)
    detail = f"Send the header `{' or '.join(f'Content-Type: {each}' for each in wanted)}`"
    detail += f", not `{given[:100]}`." if given else "."
    error = FieldError("/header/Content-Type", "unsupported_media_type", detail)
    return ApiError(415, error.code, detail, [error])


def refuse_encoded(headers: Headers) -> None:
    """Raise the 415 for a body that is packed for the way: what it unpacks to is under no limit of requests."""
    encoding = headers.get("content-encoding", "").strip()
    if encoding.lower() in ("", "identity"):
        return
    detail = (
        f"Send the body as it is, without the header `Content-Encoding: {encoding[:100]}`. A packed file or archive is "
        "sent like any other file."
    )
    error = FieldError("/header/Content-Encoding", "unsupported_media_type", detail)
    raise ApiError(415, error.code, detail, [error], headers={"Accept-Encoding": "identity"})
