"""The features that runs share: in memory, and on disk where the caller gives a place for them."""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pouf_core.contract.engine import EngineUsed
from pouf_core.feature_cache.matrix import StoredMatrix
from pouf_core.feature_cache.place import FeaturePlace
from pouf_core.feature_cache.shelf import Shelf
from pouf_core.feature_cache.volume import Digests
from pouf_core.scoring import FeatureMatrix

logger = logging.getLogger(__name__)

Indices = npt.NDArray[np.int64]
MOST_BYTES_IN_MEMORY = 256 * 1024**2
"""Of one view's features; those of more items stay on disk, where they are."""


class FeatureCache:
    """Features of frozen encoders; runs over the same items may share them.

    Args:
        fixed_views: views that stand in for the fresh ones a method draws at every step; 0 keeps them fresh. It makes
            long recipes affordable where the encoder is frozen.
        place: where they are kept on disk, or None for memory, which also has to do where a disk is full or fails.
    """

    def __init__(self, fixed_views: int = 0, place: FeaturePlace | None = None) -> None:
        self.fixed_views = fixed_views
        self._place = place
        self._kept: dict[tuple[str, str], _Kept] = {}
        if place is not None:
            try:
                place.make()
            except OSError as error:
                logger.warning("Features are not kept on disk: %s", error)
                self._place = None

    def lacking(self, key: str, view: str, digests: Digests) -> npt.NDArray[np.bool_]:
        """Which items [n], by their content hashes [n, 32], have no features in this view."""
        return self._of(key, view).lacking(digests)

    def add(self, key: str, view: str, digests: Digests, features: Tensor, engine: EngineUsed | None = None) -> None:
        """Keep features [b, d] of items that have none, and what made them."""
        self._of(key, view).add(digests, features, engine)

    def get(self, key: str, view: str, digests: Digests, device: torch.device) -> FeatureMatrix:
        """Features [n, d] on a device; all must have been added."""
        return self._of(key, view).get(digests, device)

    def engine(self, key: str, view: str) -> EngineUsed | None:
        """What made these features, where they are kept on disk."""
        shelf = self._of(key, view).shelf
        return None if shelf is None else shelf.engine

    def release(self) -> None:
        """Let other processes append to the files that this one appended to."""
        for kept in self._kept.values():
            kept.release()

    def _of(self, key: str, view: str) -> _Kept:
        if (key, view) not in self._kept:
            self._kept[key, view] = _Kept(_opened(self._place, f"{key} {view}"))
        return self._kept[key, view]


class _Kept:
    """The features of one key and view."""

    def __init__(self, shelf: Shelf | None) -> None:
        self.shelf = shelf
        self._is_written = shelf is not None
        self._rows: dict[bytes, Tensor] = {}

    def lacking(self, digests: Digests) -> npt.NDArray[np.bool_]:
        """Which items [n] have no features."""
        lacking = self._places(digests) < 0
        for index in np.flatnonzero(lacking).tolist() if self._rows else []:
            lacking[index] = digests[index].tobytes() not in self._rows
        return lacking

    def add(self, digests: Digests, features: Tensor, engine: EngineUsed | None) -> None:
        """Keep features on disk, or in memory."""
        if not self._write(digests, features, engine):
            for digest, row in zip(digests, features, strict=True):
                self._rows[digest.tobytes()] = row

    def get(self, digests: Digests, device: torch.device) -> FeatureMatrix:
        """Features [n, d], a tensor unless they are many and on disk."""
        places = self._places(digests)
        stored = np.flatnonzero(places >= 0)
        if self.shelf is None or not len(stored):
            return torch.stack([self._rows[digest.tobytes()] for digest in digests]).to(device)
        matrix = StoredMatrix(self.shelf, places[stored], device)
        if len(stored) == len(digests):
            return matrix if matrix.nbytes > MOST_BYTES_IN_MEMORY else matrix[:]
        found = matrix[:1].new_empty((len(digests), matrix.shape[1]))
        found[stored.tolist()] = matrix[:]
        for index in np.flatnonzero(places < 0).tolist():
            found[index] = self._rows[digests[index].tobytes()]
        return found

    def release(self) -> None:
        """Write no more for now."""
        if self.shelf is not None:
            self.shelf.close()

    def _places(self, digests: Digests) -> Indices:
        return np.full(len(digests), -1) if self.shelf is None else self.shelf.find(digests)

    def _write(self, digests: Digests, features: Tensor, engine: EngineUsed | None) -> bool:
        if self.shelf is None or not self._is_written:
            return False
        try:
            self._is_written = self.shelf.add(digests, features.detach().cpu().numpy(), engine)
            reason: object = "there is no room for them"
        except OSError as error:  # a full disk, say: all that is lost is time, and of another run
            self._is_written, reason = False, error
        if not self._is_written:
            logger.warning("Features are not kept on disk any more: %s", reason)
        return self._is_written


def _opened(place: FeaturePlace | None, key: str) -> Shelf | None:
    if place is None:
        return None
    try:
        return Shelf(place, key)
    except OSError as error:
        logger.warning("Features are not kept on disk: %s", error)
        return None
