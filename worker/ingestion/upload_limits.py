"""How much a dataset's uploads may hold: the operator's limits, and what those of its owner's API key leave."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session

from pouf_core.data.uploads.limits import UploadLimits
from store import usage
from store.scope import Scope
from store.settings import Settings
from store.tables import Dataset


def limits_of_dataset(session: Session, dataset: Dataset, settings: Settings) -> UploadLimits:
    """The operator's limits, and what the dataset's owner may still have now."""
    limits = UploadLimits.of(settings)
    allowed = dataset.owner_limits
    if allowed is None:
        return limits
    scope = Scope(session, dataset.owner)
    items = allowed["items"] - usage.items(scope) + dataset.item_count
    stored = allowed["stored_bytes"] - usage.stored_bytes(scope) + dataset.extracted_bytes
    entries = (settings.key_database_bytes - usage.database_bytes(scope)) // usage.BYTES_OF_ENTRY + dataset.entry_count
    return replace(
        limits,
        items=min(limits.items, max(items, 0)),
        rows=min(limits.rows, max(entries, 0)),
        extracted_bytes=max(stored, 0),
    )
