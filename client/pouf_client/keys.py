"""API keys of all owners over HTTP, for whoever has a key of the scope `admin`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import TypedDict, cast

from pouf_client.blocking import Blocking, blocking, blocking_iterator
from pouf_client.connection import Connection, path_to
from pouf_client.results import stated


class ApiKey(TypedDict):
    """A key without its text, of which `prefix` is the beginning; a limit that is None is the service's own."""

    object: str
    id: str
    name: str
    prefix: str
    owner: str
    scopes: list[str]
    limits: dict[str, int | None]
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None


class CreatedKey(ApiKey):
    """A key that was just made; `secret` is its text, this once."""

    secret: str | None


class AsyncKeys:
    """`client.keys` of an `AsyncClient`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
        self,
        name: str,
        *,
        owner: str | None = None,
        scopes: Sequence[str] | None = None,
        expires_at: datetime | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> CreatedKey:
        """Make a key that may at most what the client's own may.

        Args:
            name: what it is for.
            owner: whose data it opens; None: the owner of the client's key.
            scopes: of `read`, `write`, `predict` and `admin`; None: the first three.
            expires_at: None: as late as the client's key.
            limits: those that are not to be the service's own.

        Returns:
            The key with its `secret`, which is None where an earlier try made it and its answer was lost: revoke it
            then, and make another.
        """
        body = {
            "name": name,
            "owner": owner,
            "scopes": None if scopes is None else list(scopes),
            "expires_at": None if expires_at is None else expires_at.isoformat(),
            "limits": None if limits is None else dict(limits),
        }
        return cast(CreatedKey, await self._connection.request("POST", path_to("keys"), json=stated(body)))

    def list(self) -> AsyncIterator[ApiKey]:
        """Keys of all owners, newest first, also those that were revoked."""
        return cast(AsyncIterator[ApiKey], self._connection.pages(path_to("keys")))

    async def revoke(self, key: str) -> ApiKey:
        """Revoke a key, named by its id or its beginning, at once and for good."""
        return cast(ApiKey, await self._connection.request("POST", path_to("keys", key, "revoke")))


class Keys(Blocking[AsyncKeys]):
    """`client.keys`."""

    create = blocking(AsyncKeys.create)
    list = blocking_iterator(AsyncKeys.list)
    revoke = blocking(AsyncKeys.revoke)
