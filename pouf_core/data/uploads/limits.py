"""How much uploads may hold."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pouf_core.data.archives.limits import ArchiveLimits

#: Accepted, duplicate and rejected entries together, as a multiple of the items that a dataset may hold.
ROWS_PER_ITEM = 4


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
