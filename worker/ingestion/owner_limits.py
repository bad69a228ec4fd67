"""What the limits of the key that a dataset was uploaded with leave for it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from store import usage
from store.scope import Scope
from store.settings import Settings
from store.tables import Dataset
from worker.ingestion.limits import Limits


def limits_of_dataset(session: Session, dataset: Dataset, settings: Settings) -> Limits:
    """The operator's limits, and what its owner may still have now."""
    limits = Limits.of(settings)
    allowed = dataset.owner_limits
    if allowed is None:
        return limits
    scope = Scope(session, dataset.owner)
    items = allowed["items"] - usage.items(scope) + dataset.item_count
    stored = allowed["stored_bytes"] - usage.stored_bytes(scope) + dataset.extracted_bytes
    return limits.within(max(items, 0), max(stored, 0))


def too_many_items(limits: Limits, settings: Settings) -> tuple[str, str]:
    """The error code and message of a dataset with more items than `limits` allow."""
    if limits.items == settings.max_items:
        return "too_many_items", f"A dataset may hold at most {limits.items:,} items."
    return "items_limit", f"The owner of this dataset may have {limits.items:,} more items, and it holds more."
