"""Reading untrusted zip archives."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

from pouf_core.data.archives.limits import ArchiveLimits
from pouf_core.data.archives.members import (
    ArchiveError,
    Found,
    Large,
    Member,
    Refused,
    Skipped,
    UnpackedBytes,
    blocks_of,
    refusal,
    too_large,
    too_many_entries,
    write_blocks,
)
from pouf_core.data.archives.packed_members import unpacked_member
from pouf_core.data.archives.zip_names import names_of
from pouf_core.data.file_kinds import is_named_for_labels
from pouf_core.data.item_names import ItemName, parse_name
from pouf_core.data.zip_directory import COMPRESSIONS, DIRECTORY_DAMAGE, MEMBER_DAMAGE, TooManyEntries, open_zip
from pouf_core.errors import InvalidInput

ENCRYPTED = "The file is encrypted; pack it again without a password."


def read_zip(path: Path, limits: ArchiveLimits, check: Callable[[], None]) -> Iterator[Member]:
    """The files of a zip one by one, those of labels first, so that a sample knows them; raises `ArchiveError`."""
    unpacked = UnpackedBytes(limits.unpacked_bytes(path.stat().st_size), check)
    with _opened(path, limits) as archive:
        files = _Files(archive)
        for labels_wanted in (True, False):
            for info, name in files:
                if is_named_for_labels(name.file_name) is not labels_wanted:
                    continue
                if name.skipped:
                    yield Skipped(name, name.skipped)
                else:
                    yield _read_zip_entry(archive, info, name, limits, unpacked)


def names_in_zip(path: Path, limits: ArchiveLimits) -> list[ItemName]:
    """The names of a zip's files; raises `ArchiveError`."""
    with _opened(path, limits) as archive:
        return [name for _, name in _Files(archive)]


_UNREADABLE = "The zip archive cannot be read: {}. Pack it again; if it is one part of several, as one."


def _opened(path: Path, limits: ArchiveLimits) -> zipfile.ZipFile:
    try:
        return open_zip(path, limits.archive_entries)
    except TooManyEntries as error:
        raise too_many_entries(limits) from error
    except DIRECTORY_DAMAGE as error:
        raise ArchiveError("archive_corrupt", _UNREADABLE.format(error)) from error


class _Files:
    """The files of a zip. Their names are taken apart anew each time: of a million they would take 200 MB."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._entries = archive.infolist()
        self._names = names_of(self._entries)

    def __iter__(self) -> Iterator[tuple[zipfile.ZipInfo, ItemName]]:
        for info, raw in zip(self._entries, self._names, strict=True):
            if not (info.is_dir() or raw.endswith("\\")):
                yield info, parse_name(raw)


def _read_zip_entry(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: ItemName, limits: ArchiveLimits, unpacked: UnpackedBytes
) -> Member:
    mode = stat.S_IFMT(info.external_attr >> 16)
    special = mode not in (0, stat.S_IFREG, stat.S_IFLNK)
    refused = refusal(name, link=mode == stat.S_IFLNK, special=special, size=info.file_size, limits=limits)
    if refused is not None:
        return refused
    if info.flag_bits & 1:
        return Refused(name, "encrypted_member", ENCRYPTED)
    if info.compress_type not in COMPRESSIONS:
        return Refused(name, "unsupported_compression", "Zip members must be stored or deflated.")
    if info.file_size > limits.item_bytes:
        return Large(name, info.file_size, partial(_write_zip_entry, archive, info, unpacked))
    try:
        with _stream_of(archive, info) as stream:
            data = unpacked.read(stream, limits.item_bytes + 1)
    except MEMBER_DAMAGE as error:
        damage = _corrupt(error)
        return Refused(name, damage.code, damage.message)
    if len(data) > limits.item_bytes:
        return too_large(name, limits)
    return unpacked_member(Found(name, data), limits, unpacked)


def _stream_of(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    if info.header_offset < 0:
        raise zipfile.BadZipFile("its header lies before the archive's start")
    return archive.open(info)


def _write_zip_entry(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    unpacked: UnpackedBytes,
    target: Path,
    most_bytes: float,
    check: Callable[[], None],
) -> bool:
    def note(size: int) -> None:
        unpacked.count(size)
        check()

    try:
        stream = _stream_of(archive, info)
    except MEMBER_DAMAGE as error:
        raise _corrupt(error) from error
    with stream:
        return write_blocks(blocks_of(stream, MEMBER_DAMAGE, _corrupt), target, most_bytes, note)


def _corrupt(error: Exception) -> InvalidInput:
    return InvalidInput("member_corrupt", f"The file is damaged inside its archive: {error}")
