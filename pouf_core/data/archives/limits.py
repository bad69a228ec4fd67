"""How much an untrusted archive may hold."""

from __future__ import annotations

from dataclasses import dataclass

#: Archives may always unpack to this many bytes, whatever their ratio: tiny archives of flat pictures pack very well.
RATIO_FLOOR_BYTES = 16 * 1024**2


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    """Largest counts and sizes that are read.

    Attributes:
        item_bytes: of one file.
        archive_entries: of one archive.
        archive_ratio: bytes that an archive may unpack to, for each of its own.
    """

    item_bytes: int
    archive_entries: int
    archive_ratio: float

    def unpacked_bytes(self, packed_bytes: int) -> int:
        """What an archive of this size may unpack to."""
        return max(RATIO_FLOOR_BYTES, int(packed_bytes * self.archive_ratio))
