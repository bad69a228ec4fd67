"""Unpacking what is packed as one stream: gzip, bzip2 and xz."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from pouf_core.data.file_kinds import ArchiveKind

#: What a stream raises where it is damaged or cut off.
DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, ValueError)
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
        return _Streams(file, bz2.BZ2Decompressor)
    return _Streams(file, partial(lzma.LZMADecompressor, memlimit=_XZ_MEMORY_BYTES)) if kind == "xz" else file


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


class _Decompressor(Protocol):
    """What the standard library has for bzip2 and xz."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Streams:
    """Unpacks one stream after another, of which a file may have several, padded by zeros.

    The standard library's files of xz set no limit on memory, which a header may ask for in any size; those of bzip2
    raise for damage what they raise for a disk that fails.
    """

    def __init__(self, file: IO[bytes], begin: Callable[[], _Decompressor]) -> None:
        self._file = file
        self._begin = begin
        self._decompressor = begin()

    def read(self, size: int, /) -> bytes:
        while True:
            rest = b""
            if self._decompressor.eof:
                rest = self._next_stream()
                if not rest:
                    return b""
                self._decompressor = self._begin()
            elif self._decompressor.needs_input:
                rest = self._file.read(_BLOCK_BYTES)
                if not rest:
                    raise EOFError("the compressed stream ends before its end mark")
            try:
                block = self._decompressor.decompress(rest, size)
            except OSError as error:
                raise ValueError(str(error)) from error
            if block:
                return block

    def _next_stream(self) -> bytes:
        """The beginning of the stream behind this one."""
        rest = self._decompressor.unused_data
        while not rest.strip(b"\0"):
            rest = self._file.read(_BLOCK_BYTES)
            if not rest:
                return b""
        return rest.lstrip(b"\0")
