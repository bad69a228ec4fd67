"""Opening untrusted zips: their directories, which `zipfile` reads whole, are bounded before."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

#: A zip's directory may take this many bytes an entry that the limits allow; it is read whole.
DIRECTORY_BYTES_PER_ENTRY = 256
#: What `zipfile` raises on damaged directories, and on damaged members.
DIRECTORY_DAMAGE = (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OverflowError, struct.error)
MEMBER_DAMAGE = (*DIRECTORY_DAMAGE, zlib.error, RuntimeError)
_FOUR_GIB = 2**32
_MEMBER_MARK = b"PK\x03\x04"
_ENTRY_MARK = b"PK\x01\x02"
_END_OF_ZIP64_BYTES = 76  # lie between the directory and its end
_END_FIELDS = (zipfile._ECD_LOCATION, zipfile._ECD_SIZE, zipfile._ECD_OFFSET)  # type: ignore[attr-defined]
#: How members may be packed.
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class TooManyEntries(Exception):
    """A zip's directory is too long to be read."""


def open_zip(path: Path, most_entries: int) -> zipfile.ZipFile:
    """Open a zip whose members lie in it one after another.

    Args:
        path: of the zip.
        most_entries: that it may have.

    Raises:
        TooManyEntries: it has more.
        BadZipFile: its members overlap, or claim more than it holds; and what else `DIRECTORY_DAMAGE` names.
    """
    with path.open("rb") as stream:
        # the zip's own record of its end says how much will be read at once
        end = zipfile._EndRecData(stream)  # type: ignore[attr-defined]
        location, size, start = (end[field] for field in _END_FIELDS) if end else (0, 0, 0)
        if size > most_entries * DIRECTORY_BYTES_PER_ENTRY:
            raise TooManyEntries
        # before an object is made of each: the shortest entries have 46 bytes
        stream.seek(max(0, location - size - _END_OF_ZIP64_BYTES))
        if stream.read(size + _END_OF_ZIP64_BYTES).count(_ENTRY_MARK) > most_entries:
            raise TooManyEntries
    archive = zipfile.ZipFile(path)
    entries = archive.infolist()
    if sum(info.compress_size for info in entries) > path.stat().st_size:
        archive.close()
        raise zipfile.BadZipFile("its members overlap, or claim more than it holds")
    _find_beyond_four_gib(path, archive, location - size - start)
    return archive


def _find_beyond_four_gib(path: Path, archive: zipfile.ZipFile, shift: int) -> None:
    """Correct where members begin in a zip of macOS's Finder beyond 4 GiB, which writes places modulo 4 GiB.

    `zipfile` takes the difference at the directory for something before the zip, and shifts all members by it.
    """
    if shift <= 0 or shift % _FOUR_GIB:
        return
    entries = archive.infolist()
    before = base = 0
    with path.open("rb") as stream:
        for info in entries:
            written = info.header_offset - shift
            while base <= shift and not (written + base >= before and _begins_member(stream, written + base)):
                base += _FOUR_GIB
            info.header_offset = before = written + base
    if hasattr(zipfile.ZipInfo, "_end_offset"):  # by which newer Pythons find overlaps
        ends = [*(info.header_offset for info in entries[1:]), archive.start_dir]
        for info, end in zip(entries, ends, strict=True):
            setattr(info, "_end_offset", end)  # noqa: B010 - only some versions have it


def _begins_member(stream: IO[bytes], place: int) -> bool:
    stream.seek(place)
    return stream.read(4) == _MEMBER_MARK
