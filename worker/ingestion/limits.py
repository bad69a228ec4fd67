"""How much an upload may unpack to."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from store.settings import Settings

#: Archives may always unpack to this many bytes, whatever their ratio: tiny archives of flat pictures pack very well.
RATIO_FLOOR_BYTES = 16 * 1024**2


@dataclass(frozen=True)
class Limits:
    """Largest counts and sizes that ingestion accepts; sizes in bytes, pictures in pixels."""

    items: int
    item_bytes: int
    pixels: int
    archive_entries: int
    archive_ratio: float
    #: What may be stored beside the uploads.
    extracted_bytes: float = math.inf

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits that the operator set."""
        return cls(
            items=settings.max_items,
            item_bytes=settings.max_item_bytes,
            pixels=settings.max_pixels,
            archive_entries=settings.max_archive_entries,
            archive_ratio=settings.max_archive_ratio,
        )

    def within(self, items: int, extracted_bytes: int) -> Limits:
        """These limits, and no more than that."""
        return replace(self, items=min(self.items, items), extracted_bytes=extracted_bytes)

    def unpacked_bytes(self, packed_bytes: int) -> int:
        """What an archive of this size may unpack to."""
        return max(RATIO_FLOOR_BYTES, int(packed_bytes * self.archive_ratio))
