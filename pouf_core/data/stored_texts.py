"""Many texts without an object for each: in one buffer, or in a temporary file where they are large."""

from __future__ import annotations

import hashlib
import os
from array import array
from tempfile import TemporaryFile
from typing import IO

import numpy as np
import numpy.typing as npt

from pouf_core.data.texts import Text, TextItem, whole_text

DIGEST_BYTES = 32
_MOST_IN_MEMORY = 16 * 1024**2

Positions = npt.NDArray[np.int64]


class StoredTexts:
    """Texts and pairs of texts, each content once, in order of content hash. Thread-safe.

    Attributes:
        digests: [n, 32] their content hashes.
    """

    def __init__(self, digests: npt.NDArray[np.uint8], starts: Positions, ends: Positions, content: _Content) -> None:
        self.digests = digests
        self._starts = starts
        self._ends = ends
        self._content = content

    def __len__(self) -> int:
        """n."""
        return len(self.digests)

    def __getitem__(self, index: int) -> Text:
        """A text, or a pair of texts."""
        text, pair, second = self._content.read(int(self._starts[index]), int(self._ends[index])).partition("\0")
        return TextItem(text, second) if pair else text

    def part(self, rows: slice) -> StoredTexts:
        """Some of them, in order."""
        return StoredTexts(self.digests[rows], self._starts[rows], self._ends[rows], self._content)


class TextWriter:
    """Collects texts."""

    def __init__(self) -> None:
        self._content = _Content()
        self._digests = bytearray()
        self._ends = array("q")

    def add(self, text: TextItem) -> None:
        """Add a cleaned text; one that is known already is left out at the end.

        Raises:
            OSError: the disk is full, for one.
        """
        whole = whole_text(text)
        self._digests += hashlib.sha256(whole).digest()
        self._ends.append(self._content.append(whole))

    def finish(self) -> StoredTexts:
        """All of them."""
        digests = np.frombuffer(self._digests, np.uint8).reshape(-1, DIGEST_BYTES)
        ends = np.frombuffer(self._ends, np.int64)
        words = digests.view(">u8").astype(np.uint64)
        order = np.lexsort(words.T[::-1])
        ordered = words[order]
        kept = order[np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))[: len(order)]]
        starts = np.append(0, ends)[:-1]
        return StoredTexts(digests[kept], starts[kept], ends[kept], self._content)


class _Content:
    """Bytes that are appended, and then read."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._file: IO[bytes] | None = None
        self._written = 0

    def append(self, content: bytes) -> int:
        """Where the bytes end."""
        self._buffer += content
        if len(self._buffer) > _MOST_IN_MEMORY:
            self._file = self._file or TemporaryFile(prefix="pouf-texts-")  # noqa: SIM115 - open as long as this lives
            self._file.write(self._buffer)
            self._file.flush()
            self._written += len(self._buffer)
            self._buffer.clear()
        return self._written + len(self._buffer)

    def read(self, start: int, end: int) -> str:
        """The text between two places; no text lies on both sides of where the buffer begins."""
        if start >= self._written:
            return self._buffer[start - self._written : end - self._written].decode()
        assert self._file is not None
        return os.pread(self._file.fileno(), end - start, start).decode()
