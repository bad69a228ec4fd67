"""Unpacking what is packed as one stream: gzip, bzip2 and xz."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from pouf_core.data.file_kinds import ArchiveKind

#: What a stream raises where it is damaged or cut off.
DAMAGE = (EOFError, zlib.error, lzma.LZMAError, ValueError)
_XZ_MEMORY_BYTES = 128 * 1024**2
_BLOCK_BYTES = 16 * 1024  # the rest of one is copied at the end of each stream in it
_GZIP = 16 + zlib.MAX_WBITS
_PACKED_BYTES_OF_HEAD = 2 * 1024**2  # more than the first block of any packing takes


class Readable(Protocol):
    """What can be read block by block."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


def unpacked(file: IO[bytes], kind: ArchiveKind, check: Callable[[], None] = lambda: None) -> Readable:
    """What an open file holds, unpacked as it is read.

    Args:
        file: at its beginning.
        kind: `gzip`, `bzip2` or `xz`; what is of another kind is not packed.
        check: called at every block of the file, of which many may hold nothing; raises to end.
    """
    begin = _DECOMPRESSORS.get(kind)
    return file if begin is None else _Streams(file, begin, check)


def head_of_packed(path: Path, kind: ArchiveKind, size: int) -> bytes:
    """The first bytes of what a file holds, fewer where it is damaged."""
    head = b""
    with path.open("rb") as file:
        stream = unpacked(io.BytesIO(file.read(_PACKED_BYTES_OF_HEAD)), kind)
    try:
        while len(head) < size and (block := stream.read(size - len(head))):
            head += block
    except DAMAGE:
        return head
    return head


class _Decompressor(Protocol):
    """What the standard library has for bzip2 and xz, and for gzip nearly."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gzip:
    """zlib's decompressor of gzip."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(_GZIP)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max(max_length, 0))


_DECOMPRESSORS: dict[ArchiveKind, Callable[[], _Decompressor]] = {
    "gzip": _Gzip,
    "bzip2": bz2.BZ2Decompressor,
    "xz": partial(lzma.LZMADecompressor, memlimit=_XZ_MEMORY_BYTES),
}


class _Streams:
    """Unpacks one stream after another, of which a file may have several, padded by zeros.

    The standard library's files of xz set no limit on memory, which a header may ask for in any size; those of bzip2
    raise for damage what they raise for a disk that fails; those of gzip read names in headers byte by byte, and all of
    them read on over streams that hold nothing.
    """

    def __init__(self, file: IO[bytes], begin: Callable[[], _Decompressor], check: Callable[[], None]) -> None:
        self._file = file
        self._begin = begin
        self._check = check
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
                rest = self._read_on()
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
            rest = self._read_on()
            if not rest:
                return b""
        return rest.lstrip(b"\0")

    def _read_on(self) -> bytes:
        self._check()
        return self._file.read(_BLOCK_BYTES)
