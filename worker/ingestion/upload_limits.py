"""How much a dataset's uploads may hold: the operator's limits, and what those of its owner's API key leave."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from pouf_core.data.archives.limits import ArchiveLimits
from store import usage
from store.scope import Scope
from store.settings import Settings
from store.tables import Dataset


@dataclass(frozen=True, kw_only=True)
class UploadLimits(ArchiveLimits):
    """Largest counts and sizes that ingestion accepts; sizes in bytes, pictures in pixels."""

    items: int
    pixels: int
    #: What may be stored beside the uploads.
    extracted_bytes: float = math.inf

    @classmethod
    def of(cls, settings: Settings) -> UploadLimits:
        """The limits that the operator set."""
        return cls(
            items=settings.max_items,
            item_bytes=settings.max_item_bytes,
            pixels=settings.max_pixels,
            archive_entries=settings.max_archive_entries,
            archive_ratio=settings.max_archive_ratio,
        )

    @classmethod
    def of_dataset(cls, session: Session, dataset: Dataset, settings: Settings) -> UploadLimits:
        """The operator's limits, and what the dataset's owner may still have now."""
        limits = cls.of(settings)
        allowed = dataset.owner_limits
        if allowed is None:
            return limits
        scope = Scope(session, dataset.owner)
        items = allowed["items"] - usage.items(scope) + dataset.item_count
        stored = allowed["stored_bytes"] - usage.stored_bytes(scope) + dataset.extracted_bytes
        return replace(limits, items=min(limits.items, max(items, 0)), extracted_bytes=max(stored, 0))
