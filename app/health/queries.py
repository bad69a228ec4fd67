"""Queries of metrics: what owners use, and messages to webhooks."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store import usage
from store.observations import Total
from store.tables import WebhookDelivery

#: The label of the owners that are not named, together.
OTHERS = "(others)"
#: Adding up what all owners have stored reads whole tables.
STORED_EVERY_SECONDS = 300.0


@dataclass(frozen=True)
class OwnersUse:
    """What owners use, by owner."""

    job_seconds: Mapping[str, float]
    stored_bytes: Mapping[str, float]
    unfinished_jobs: Mapping[str, float]


class UseReader:
    """Reads what owners use. Of thousands of owners the `most` greatest are named, so that the series stay few."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._stored: Counter[str] = Counter()
        self._next_at = 0.0

    def read(self, session: Session, counted: Iterable[Total]) -> OwnersUse:
        """Return the use as it is now; of stored bytes, as it was up to `STORED_EVERY_SECONDS` ago."""
        if not self._most:
            return OwnersUse({}, {}, {})
        if time.monotonic() >= self._next_at:
            self._stored = usage.stored_bytes_by_owner(session)
            self._next_at = time.monotonic() + STORED_EVERY_SECONDS
        ran = Counter({each.label: each.total for each in counted if each.metric == "owner_job_seconds"})
        # Without the others, whose sum would fall whenever one of them comes to be named; a counter only grows.
        return OwnersUse(
            dict(ran.most_common(self._most)),
            self._with_others(self._stored),
            self._with_others(usage.unfinished_jobs_by_owner(session)),
        )

    def _with_others(self, use: Counter[str]) -> dict[str, float]:
        named: dict[str, float] = dict(use.most_common(self._most))
        return {**named, OTHERS: use.total() - sum(named.values())}


def pending_webhooks(session: Session) -> int:
    """Return how many messages to webhooks are neither delivered nor given up."""
    query = select(func.count()).select_from(WebhookDelivery).where(WebhookDelivery.status == "pending")
    return session.scalars(query).one()
