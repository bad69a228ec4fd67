"""How much uploads may hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from pouf_core.data.archives.limits import ArchiveLimits

#: Accepted, duplicate and rejected entries together, as a multiple of the items that a dataset may hold.
ROWS_PER_ITEM = 4


class LimitsSet(Protocol):
    """Where an operator sets limits."""

    max_items: int
    max_item_bytes: int
    max_archive_entries: int
    max_archive_ratio: float
    max_pixels: int
    decode_memory_bytes: int
    decode_cpu_seconds: float


@dataclass(frozen=True, kw_only=True)
class UploadLimits(ArchiveLimits):
    """Largest counts and sizes that are read of the uploads of a dataset; what is beyond ends the reading.

    Attributes:
        items: accepted.
        rows: accepted, duplicate and rejected entries together.
        pixels: of a picture.
        extracted_bytes: what may be stored beside the uploads.
        memory_bytes, cpu_seconds: that reading one file in a process of its own may take.
    """

    items: int
    rows: int
    pixels: int
    extracted_bytes: float = math.inf
    memory_bytes: int
    cpu_seconds: float

    @classmethod
    def of(cls, settings: LimitsSet) -> UploadLimits:
        """The limits that an operator set."""
        return cls(
            items=settings.max_items,
            rows=ROWS_PER_ITEM * settings.max_items,
            item_bytes=settings.max_item_bytes,
            pixels=settings.max_pixels,
            archive_entries=settings.max_archive_entries,
            archive_ratio=settings.max_archive_ratio,
            memory_bytes=settings.decode_memory_bytes,
            cpu_seconds=settings.decode_cpu_seconds,
        )
