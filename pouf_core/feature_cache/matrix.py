"""Features that stay on disk, of which some rows are wanted at a time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pouf_core.feature_cache.shelf import Places, Shelf

_ROWS_AT_ONCE = 2**14  # after which the memory of pages that were read is given back


class StoredMatrix:
    """Features [n, d] on disk; see `pouf_core.scoring.FeatureMatrix`.

    Args:
        shelf: where they are.
        places: [n] of the items, n at least 1.
        device: where rows are wanted.
    """

    def __init__(self, shelf: Shelf, places: Places, device: torch.device) -> None:
        self._shelf = shelf
        self._places = places
        self._device = device
        self._read = 0
        self._width = int(shelf.rows(places[:1]).shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """n and d."""
        return len(self._places), self._width

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return len(self._places) * self._width * int(self._shelf.number_type.itemsize)

    def __len__(self) -> int:
        """n."""
        return len(self._places)

    def __getitem__(self, rows: slice | list[int], /) -> Tensor:
        """Some rows [b, d], copied into memory."""
        places = self._places[rows]
        found = np.empty((len(places), self._width), self._shelf.number_type)
        for start in range(0, len(places), _ROWS_AT_ONCE):
            part = places[start : start + _ROWS_AT_ONCE]
            found[start : start + len(part)] = self._shelf.rows(part)
            self._read += len(part)
            if self._read >= _ROWS_AT_ONCE:
                self._shelf.forget_pages()
                self._read = 0
        return torch.from_numpy(found).to(self._device)
