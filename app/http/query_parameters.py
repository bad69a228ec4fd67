"""Query parameters: each given once, and those of lists.

Cursors are opaque to clients. To us they are the last row's position, so that pages stay stable while rows come and go.
"""

import base64
import binascii
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field
from starlette.requests import Request

from app.http.errors import FieldError, invalid, several
from app.http.schemas import NAME, Closed, DocumentT, ListDocument
from store.scope import Filters

Row = TypeVar("Row")
#: PostgreSQL's whole numbers have 32 bits.
MOST_ROWS = 2**31 - 1


async def refuse_repeated(request: Request) -> None:
    """Raise 422 ``duplicate_field`` for parameters given more than once: all but one value would be ignored."""
    counts = Counter(name for name, _ in request.query_params.multi_items())
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        message = "This parameter may be given once."
        raise several(FieldError(f"/query/{name}", "duplicate_field", message) for name in repeated)


def _no_number(value: object) -> object:
    """Refuse what pydantic would take for seconds since 1970, which the document does not promise."""
    if isinstance(value, str) and value.lstrip("+-").replace(".", "", 1).isdecimal():
        raise ValueError("Give a time such as 2026-01-31T12:00:00Z.")
    return value


def _in_utc(value: datetime) -> datetime:
    """The time in UTC, as which one without a zone is taken; the first and last days of the calendar may have none."""
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("Give a time such as 2026-01-31T12:00:00Z.") from error


TIME = Annotated[datetime, BeforeValidator(_no_number), AfterValidator(_in_utc)]


class PageQuery(Closed):
    """Which part of a list to answer."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str | None, Field(max_length=200, description="`next_cursor` of the previous page.")] = None


class NumbersQuery(PageQuery):
    """Which part of a long list of small things to answer."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class ListQuery(PageQuery):
    """A page of resources that have names and times."""

    name: NAME | None = None
    created_after: TIME | None = None
    created_before: TIME | None = None

    def filters(self, after_id: str | None, status: str | None = None) -> Filters:
        """Return the query's form for repositories."""
        return Filters(status, self.name, self.created_after, self.created_before, after_id)


def encode_cursor(position: str | int) -> str:
    """Return the cursor that stands for the row at `position`."""
    return base64.urlsafe_b64encode(str(position).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> str | None:
    """Return the position that `cursor` stands for; raises 422 ``invalid_cursor``."""
    if cursor is None:
        return None
    try:
        decoded = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise _bad_cursor() from error
    if not decoded.isprintable():
        raise _bad_cursor()
    return decoded


def decode_number(cursor: str | None) -> int | None:
    """Return the number that `cursor` stands for; raises 422 ``invalid_cursor``."""
    position = decode_cursor(cursor)
    if position is None:
        return None
    if not is_row_number(position):
        raise _bad_cursor()
    return int(position)


def is_row_number(text: str) -> bool:
    """Whether text is a number that the databases' columns of whole numbers can be compared with."""
    return text.isascii() and text.isdigit() and len(text) <= len(str(MOST_ROWS)) and int(text) <= MOST_ROWS


def page(
    rows: Sequence[Row], limit: int, show: Callable[[Row], DocumentT], position: Callable[[Row], str | int]
) -> ListDocument[DocumentT]:
    """Return the list document for `rows`, of which the caller fetched up to ``limit + 1``."""
    shown = rows[:limit]
    has_more = len(rows) > limit
    return ListDocument(
        object="list",
        data=[show(row) for row in shown],
        has_more=has_more,
        next_cursor=encode_cursor(position(shown[-1])) if has_more else None,
    )


def complete_list(documents: list[DocumentT]) -> ListDocument[DocumentT]:
    """Return the list document of everything there is."""
    return ListDocument(object="list", data=documents, has_more=False, next_cursor=None)


def _bad_cursor() -> Exception:
    return invalid("invalid_cursor", "Use `next_cursor` of the previous page, unchanged.", "/query/cursor")
