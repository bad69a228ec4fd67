"""Pixels of decoded pictures, kept so that each picture is decoded once where memory allows."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""[H, W, 3]: the three colours of every pixel."""


class KeptPixels:
    """Pixels by picture and stage of their preparation. Thread-safe.

    What came first stays: training goes through all pictures again and again, and whatever makes room for the newest
    would then throw out just what comes next.

    Args:
        room: gives the most bytes to keep; asked when the first pixels come.
    """

    def __init__(self, room: Callable[[], int]) -> None:
        self._room = room
        self._most: int | None = None
        self._pixels: dict[tuple[str, str], Pixels] = {}
        self._guard = threading.Lock()
        self.nbytes = 0

    def get(self, sha256: str, stage: str, make: Callable[[], Pixels]) -> Pixels:
        """Pixels of a picture, by its content hash, at a stage; nobody may change them."""
        key = (sha256, stage)
        found = self._pixels.get(key)
        if found is not None:
            return found
        made = make()
        with self._guard:
            if self._most is None:
                self._most = self._room()
            if key not in self._pixels and self.nbytes + made.nbytes <= self._most:
                self._pixels[key] = made
                self.nbytes += made.nbytes
        return made

    def release(self) -> None:
        """Forget everything, and keep nothing from now on."""
        with self._guard:
            self._pixels, self.nbytes, self._most = {}, 0, 0
