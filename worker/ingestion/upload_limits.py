"""How much a dataset's uploads may hold: the operator's limits, and what those of its owner's API key leave."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session

from pouf_core.data.uploads.limits import ROWS_PER_ITEM, UploadLimits
from store import usage
from store.scope import Scope
from store.settings import Settings
from store.tables import Dataset


def operators_limits(settings: Settings) -> UploadLimits:
    """The limits that the operator set."""
    return UploadLimits(
        items=settings.max_items,
        rows=ROWS_PER_ITEM * settings.max_items,
        item_bytes=settings.max_item_bytes,
        pixels=settings.max_pixels,
        archive_entries=settings.max_archive_entries,
        archive_ratio=settings.max_archive_ratio,
        memory_bytes=settings.decode_memory_bytes,
        cpu_seconds=settings.decode_cpu_seconds,
    )


def limits_of_dataset(session: Session, dataset: Dataset, settings: Settings) -> UploadLimits:
    """The operator's limits, and what the dataset's owner may still have now."""
    limits = operators_limits(settings)
    allowed = dataset.owner_limits
    if allowed is None:
        return limits
    scope = Scope(session, dataset.owner)
    items = allowed["items"] - usage.items(scope) + dataset.item_count
    stored = allowed["stored_bytes"] - usage.stored_bytes(scope) + dataset.extracted_bytes
    return replace(limits, items=min(limits.items, max(items, 0)), extracted_bytes=max(stored, 0))
