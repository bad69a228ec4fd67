"""Who a key is, and what is taken of its limits."""

from __future__ import annotations

from typing import TypedDict


class Key(TypedDict):
    """An API key without its text, of which `prefix` is the beginning."""

    id: str
    name: str
    prefix: str
    created_at: str
    expires_at: str | None


class Limits(TypedDict):
    """How much may be done with a key; all but the requests hold for whatever its owner has."""

    requests_per_minute: int
    stored_bytes: int
    items: int
    concurrent_jobs: int
    queued_jobs: int
    database_bytes: int


class Usage(TypedDict):
    """What is taken of each limit; `requests_per_minute` is None of a service without keys."""

    requests_per_minute: int | None
    stored_bytes: int
    items: int
    concurrent_jobs: int
    queued_jobs: int
    database_bytes: int


class Me(TypedDict):
    """Who asks; `key` and `limits` are None of a service without keys."""

    owner: str
    key: Key | None
    scopes: list[str]
    limits: Limits | None
    usage: Usage
