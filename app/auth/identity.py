"""Who sent a request, what they may do, and how much of it."""

from dataclasses import dataclass
from enum import StrEnum

from store.settings import Settings
from store.tables import ApiKey


class KeyScope(StrEnum):
    """What a key may be used for; `ADMIN` stands for all the others, too."""

    READ = "read"
    WRITE = "write"
    PREDICT = "predict"
    ADMIN = "admin"


@dataclass(frozen=True)
class KeyLimits:
    """How much may be done with a key; all but the requests count what the key's owner has, whatever key made it."""

    requests_per_minute: int
    stored_bytes: int
    items: int
    concurrent_jobs: int
    queued_jobs: int
    database_bytes: int

    @classmethod
    def of(cls, key: ApiKey, settings: Settings) -> "KeyLimits":
        """Return the key's own limits, and the settings' where it has none."""
        return cls(
            requests_per_minute=key.requests_per_minute or settings.key_requests_per_minute,
            stored_bytes=key.stored_bytes or settings.key_stored_bytes,
            items=key.items or settings.key_items,
            concurrent_jobs=key.concurrent_jobs or settings.key_concurrent_jobs,
            queued_jobs=key.queued_jobs or settings.key_queued_jobs,
            database_bytes=settings.key_database_bytes,
        )


@dataclass(frozen=True)
class Identity:
    """An owner, what they may do, and how much of it.

    Attributes:
        key: what they showed; None while there are no keys.
        limits: None while there are no keys.
        page_token: of a browser that is signed in: what its pages send along with whatever changes anything.
    """

    owner: str
    scopes: frozenset[str]
    key: ApiKey | None = None
    limits: KeyLimits | None = None
    page_token: str | None = None

    @property
    def named(self) -> str:
        """Who it is, for the log."""
        return "whoever is on this machine" if self.key is None else f"the key {self.key.id} ({self.key.prefix}…)"

    def may(self, scope: str) -> bool:
        """Tell whether the scope was granted."""
        return scope in self.scopes or KeyScope.ADMIN in self.scopes
