"""The content hashes of items as bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pouf_core.data.items import Item, TextItems
from pouf_core.feature_cache.volume import DIGEST_BYTES, Digests


def digests_of(items: Sequence[Item]) -> Digests:
    """Content hashes [n, 32]."""
    if isinstance(items, TextItems):
        return items.digests
    found = np.empty((len(items), DIGEST_BYTES), np.uint8)
    for index, item in enumerate(items):
        found[index] = np.frombuffer(bytes.fromhex(item.sha256), np.uint8)
    return found
