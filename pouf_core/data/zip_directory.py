"""Opening untrusted zips: their directories, which `zipfile` reads whole, are bounded before."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

#: A zip's directory may take this many bytes an entry that the limits allow; it is read whole, whatever it holds.
DIRECTORY_BYTES_PER_ENTRY = 256
#: What `zipfile` raises on damaged directories, and on damaged members.
DIRECTORY_DAMAGE = (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OverflowError, struct.error)
MEMBER_DAMAGE = (*DIRECTORY_DAMAGE, zlib.error, RuntimeError)
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
    if end and end[zipfile._ECD_SIZE] > most_entries * DIRECTORY_BYTES_PER_ENTRY:  # type: ignore[attr-defined]
        raise TooManyEntries
    archive = zipfile.ZipFile(path)
    entries = archive.infolist()
    if len(entries) > most_entries:
        archive.close()
        raise TooManyEntries
    if sum(info.compress_size for info in entries) > path.stat().st_size:
        archive.close()
        raise zipfile.BadZipFile("its members overlap, or claim more than it holds")
    return archive
