"""Walking through the service's lists."""

from collections.abc import Iterator
from typing import Any

from client.connection import Transport


def every(transport: Transport, path: str, **filters: str | int | None) -> Iterator[dict[str, Any]]:
    """Each element of a list, page after page; filters that are None are left out."""
    query = {name: value for name, value in filters.items() if value is not None}
    while True:
        page = transport.json("GET", path, params={"limit": 100, **query})
        yield from page["data"]
        if not page.get("has_more"):
            return
        query["cursor"] = page["next_cursor"]
