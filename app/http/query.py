"""Query parameters are taken once each: of two values one would be dropped without a word."""

from collections import Counter

from starlette.requests import Request

from app.http.errors import FieldError, several


def refuse_repeated(request: Request) -> None:
    """Raise 422 ``duplicate_field`` for parameters that are given more than once."""
    counts = Counter(name for name, _ in request.query_params.multi_items())
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        message = "This parameter may be given once."
        raise several(FieldError(f"/query/{name}", "duplicate_field", message) for name in repeated)
