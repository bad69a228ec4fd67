"""The records of a tar's pax headers, as far as they say something that is used of a file."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator

SPARSE = "it holds a sparse file; pack without --sparse"
_OF_USE = (b"path", b"linkpath", b"size", b"hdrcharset")
_OF_SPARSE_FILES = b"GNU.sparse."
_LONGEST_OF_USE = 16 * 1024
_LONGEST_LENGTH = 12  # digits


def records_of_use(header: bytes) -> bytes:
    """What of a pax header tarfile is to see: records ``length keyword=value`` and a line break, one after another.

    tarfile looks for them by patterns, in time and memory that grow with the square of a header's length where it is no
    such sequence or holds long numbers, and keeps all that global headers say.

    Raises:
        tarfile.ReadError: it is no such sequence, is about a sparse file, or says what is too long for a name.
    """
    kept = []
    for keyword, record in _records(header):
        if keyword.startswith(_OF_SPARSE_FILES):
            raise tarfile.ReadError(SPARSE)
        if keyword in _OF_USE:
            if len(record) > _LONGEST_OF_USE:
                raise tarfile.ReadError(f"a pax header has a {keyword.decode()} of {len(record):,} bytes")
            kept.append(record)
    return b"".join(kept)


def _records(header: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each record with its keyword, up to the zeros that fill the last block."""
    start = 0
    while header[start : start + 1].strip(b"\0"):
        length, space, _ = header[start : start + _LONGEST_LENGTH].partition(b" ")
        end = start + (int(length) if space and length.isdigit() else 0)
        record = header[start:end]
        keyword, equals, _ = record[len(length) + 1 :].partition(b"=")
        if not (equals and record.endswith(b"\n") and len(record) == end - start):
            raise tarfile.ReadError("a pax header is no sequence of records")
        yield keyword, record
        start = end
