"""Reading untrusted zip archives."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from worker.ingestion.archive_members import (
    ArchiveError,
    Found,
    Member,
    Refused,
    UnpackedBytes,
    refusal,
    too_large,
    too_many_entries,
)
from worker.ingestion.item_names import ItemName, parse_name
from worker.ingestion.upload_limits import UploadLimits

READ_BYTES = 1024**2
#: A zip's directory may take this many bytes an entry that the limits allow; it is read whole, whatever it holds.
DIRECTORY_BYTES_PER_ENTRY = 256
#: What `zipfile` raises on damaged directories, and on damaged members.
DIRECTORY_DAMAGE = (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OverflowError, struct.error)
MEMBER_DAMAGE = (*DIRECTORY_DAMAGE, zlib.error, RuntimeError)


def read_zip(path: Path, limits: UploadLimits) -> Iterator[Member]:
    """The files of a zip one by one; raises `ArchiveError`."""
    unpacked = UnpackedBytes(limits.unpacked_bytes(path.stat().st_size))
    try:
        _check_zip_directory(path, limits)
        archive = zipfile.ZipFile(path)
    except DIRECTORY_DAMAGE as error:
        raise ArchiveError("archive_corrupt", f"The zip archive cannot be read: {error}") from error
    with archive:
        entries = archive.infolist()
        if len(entries) > limits.archive_entries:
            raise too_many_entries(limits)
        if sum(info.compress_size for info in entries) > path.stat().st_size:
            raise ArchiveError("archive_corrupt", "The zip archive's members overlap, or claim more than it holds.")
        for info in entries:
            name = parse_name(info.filename)
            if not (info.is_dir() or name.ignored):
                yield _read_zip_entry(archive, info, name, limits, unpacked)


def _check_zip_directory(path: Path, limits: UploadLimits) -> None:
    """Bound what `ZipFile` will read at once; its own record of the end says how much that is."""
    with path.open("rb") as stream:
        end = zipfile._EndRecData(stream)  # type: ignore[attr-defined]
    if end and end[zipfile._ECD_SIZE] > limits.archive_entries * DIRECTORY_BYTES_PER_ENTRY:  # type: ignore[attr-defined]
        raise too_many_entries(limits)


def _read_zip_entry(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: ItemName, limits: UploadLimits, unpacked: UnpackedBytes
) -> Member:
    mode = stat.S_IFMT(info.external_attr >> 16)
    special = mode not in (0, stat.S_IFREG, stat.S_IFLNK)
    refused = refusal(name, link=mode == stat.S_IFLNK, special=special, size=info.file_size, limits=limits)
    if refused is not None:
        return refused
    if info.flag_bits & 1:
        return Refused(name, "encrypted_member", "The file is encrypted.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return Refused(name, "unsupported_compression", "Zip members must be stored or deflated.")
    try:
        if info.header_offset < 0:
            raise zipfile.BadZipFile("its header lies before the archive's start")
        with archive.open(info) as stream:
            data = _read_at_most(limits.item_bytes + 1, stream, unpacked)
    except MEMBER_DAMAGE as error:
        return Refused(name, "member_corrupt", f"The file is damaged inside its archive: {error}")
    return too_large(name, limits) if len(data) > limits.item_bytes else Found(name, data)


def _read_at_most(size: int, stream: IO[bytes], unpacked: UnpackedBytes) -> bytes:
    """Read block by block, so that what a damaged member unpacks to before its damage is counted too."""
    data = bytearray()
    while block := stream.read(min(READ_BYTES, size - len(data))):
        unpacked.count(len(block))
        data += block
    return bytes(data)
