"""Reading untrusted tar archives, plain and packed."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

from pouf_core.data.archives.limits import ArchiveLimits
from pouf_core.data.archives.members import (
    ArchiveError,
    Found,
    Large,
    Member,
    Skipped,
    UnpackedBytes,
    blocks_of,
    refusal,
    special_member,
    too_many_entries,
    write_blocks,
)
from pouf_core.data.archives.packed_members import unpacked_member
from pouf_core.data.archives.packings import DAMAGE as PACKING_DAMAGE
from pouf_core.data.archives.packings import Readable, unpacked
from pouf_core.data.archives.pax_records import SPARSE, records_of_use
from pouf_core.data.file_kinds import ArchiveKind
from pouf_core.data.item_names import ItemName, parse_name

HEADER_BYTES = 1024**2
MAX_EMPTY_READS = 8
# tarfile reads headers that are about the next header by recursion
_DAMAGE = (tarfile.TarError, OverflowError, RecursionError, *PACKING_DAMAGE)


class _StrictTarInfo(tarfile.TarInfo):
    """Makes damage in the middle of an archive an error (tarfile takes it for the end), and bounds header sizes.

    The maps of sparse files have no bound and tarfile reads them whole, so that these end the archive. Of pax headers
    tarfile sees what `records_of_use` leaves.
    """

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile_)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(str(error)) from error

    def _proc_member(self, tarfile_: tarfile.TarFile) -> tarfile.TarInfo:
        extended = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, b"L", b"K")
        if self.type in extended and self.size > HEADER_BYTES:
            raise tarfile.ReadError("a header is larger than a megabyte")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError(SPARSE)
        return super()._proc_member(tarfile_)  # type: ignore[misc, no-any-return]

    def _proc_pax(self, tarfile_: tarfile.TarFile) -> tarfile.TarInfo:
        stream: Any = tarfile_.fileobj
        _Given(tarfile_, records_of_use(stream.read(self._block(self.size))))  # type: ignore[attr-defined]
        return super()._proc_pax(tarfile_)  # type: ignore[misc, no-any-return]


class _Given:
    """Stands in for an archive's stream until it was read once: tarfile reads a whole header at a time."""

    def __init__(self, archive: Any, content: bytes) -> None:
        self._archive, self._stream, self._content = archive, archive.fileobj, content
        archive.fileobj = self

    def read(self, size: int) -> bytes:
        self._archive.fileobj = self._stream
        return self._content


class _Counted(io.RawIOBase):
    """A stream whose bytes are counted as they are read, and whose end cannot be passed.

    To skip a member tarfile reads on, block by block, for as long as its header says, though nothing comes any more.
    """

    def __init__(self, stream: Readable, unpacked: UnpackedBytes) -> None:
        self._stream = stream
        self._unpacked = unpacked
        self._empty_reads = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._unpacked.count(len(data))
        self._empty_reads = 0 if data else self._empty_reads + 1
        if self._empty_reads > MAX_EMPTY_READS:
            raise EOFError("a member is larger than what is left of the archive")
        return data


def read_tar(path: Path, kind: ArchiveKind, limits: ArchiveLimits, check: Callable[[], None]) -> Iterator[Member]:
    """The files of a tar, packed as `unpacked` takes it, one by one; raises `ArchiveError`."""
    count = UnpackedBytes(limits.unpacked_bytes(path.stat().st_size), check)
    with path.open("rb") as file:
        try:
            yield from _read_tar_stream(_Counted(unpacked(file, kind, check), count), limits, count)
        except _DAMAGE as error:
            raise _corrupt(error) from error


def _read_tar_stream(stream: _Counted, limits: ArchiveLimits, unpacked: UnpackedBytes) -> Iterator[Member]:
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_StrictTarInfo) as archive:
        for count, info in enumerate(archive, start=1):
            if count > limits.archive_entries:
                raise too_many_entries(limits)
            archive.members = []  # type: ignore[attr-defined] # tarfile would keep every header in memory
            name = parse_name(info.name)
            if info.isdir():
                continue
            if name.skipped:
                yield Skipped(name, name.skipped)
            else:
                yield _read_tar_entry(archive, info, name, limits, unpacked)


def _read_tar_entry(
    archive: tarfile.TarFile, info: tarfile.TarInfo, name: ItemName, limits: ArchiveLimits, unpacked: UnpackedBytes
) -> Member:
    if info.size < 0:
        raise tarfile.ReadError("a member has a negative size")
    link = info.issym() or info.islnk()
    refused = refusal(name, link=link, special=not info.isreg(), size=info.size, limits=limits)
    if refused is not None:
        return refused
    stream = archive.extractfile(info)
    if stream is None:
        return special_member(name)
    if info.size > limits.item_bytes:
        return Large(name, info.size, partial(_write_tar_entry, stream))
    return unpacked_member(Found(name, stream.read()), limits, unpacked)


def _write_tar_entry(stream: Readable, target: Path, most_bytes: float, check: Callable[[], None]) -> bool:
    return write_blocks(blocks_of(stream, _DAMAGE, _corrupt), target, most_bytes, lambda _: check())


def _corrupt(error: Exception) -> ArchiveError:
    return ArchiveError("archive_corrupt", f"The tar archive cannot be read (any further): {error}")
