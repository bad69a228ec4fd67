"""Unpacking what is packed as one stream: gzip, bzip2 and xz."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from pathlib import Path
from typing import IO, Protocol

from pouf_core.data.file_kinds import ArchiveKind

#: What a stream raises where it is damaged or cut off.
DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, OSError, ValueError)
_XZ_MEMORY_BYTES = 128 * 1024**2
_BLOCK_BYTES = 64 * 1024


class Readable(Protocol):
    """What can be read block by block."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


def unpacked(file: IO[bytes], kind: ArchiveKind) -> Readable:
    """What an open file holds, unpacked as it is read.

    Args:
        file: at its beginning.
        kind: `gzip`, `bzip2` or `xz`; what is of another kind is not packed.
    """
    if kind == "gzip":
        return gzip.GzipFile(fileobj=file)
    if kind == "bzip2":
        return bz2.BZ2File(file)
    return _Xz(file) if kind == "xz" else file


def head_of_packed(path: Path, kind: ArchiveKind, size: int) -> bytes:
    """The first bytes of what a file holds, fewer where it is damaged."""
    head = b""
    with path.open("rb") as file:
        stream = unpacked(file, kind)
        try:
            while len(head) < size and (block := stream.read(size - len(head))):
                head += block
        except DAMAGE:
            return head
    return head


class _Xz:
    """Unpacks xz and lzma with a limit on memory, which a file's header may ask for in any size."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._begin()

    def _begin(self) -> None:
        self._decompressor = lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES)

    def read(self, size: int, /) -> bytes:
        while True:
            rest = b""
            if self._decompressor.eof:
                rest = self._next_stream()
                if not rest:
                    return b""
                self._begin()
            elif self._decompressor.needs_input:
                rest = self._file.read(_BLOCK_BYTES)
                if not rest:
                    raise EOFError("the compressed stream ends before its end mark")
            block = self._decompressor.decompress(rest, size)
            if block:
                return block

    def _next_stream(self) -> bytes:
        """The beginning of the stream behind this one, of which there may be several, padded by zeros."""
        rest = self._decompressor.unused_data
        while not rest.strip(b"\0"):
            rest = self._file.read(_BLOCK_BYTES)
            if not rest:
                return b""
        return rest.lstrip(b"\0")
