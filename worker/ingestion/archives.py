"""Reading archives that nobody vouches for: members come out as bytes, nothing is written anywhere."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from worker.ingestion.limits import Limits
from worker.ingestion.names import OTHER_ARCHIVE_SUFFIXES, ItemName, parse_name

TAR_MAGIC_OFFSET = 257
TAR_HEADER_BYTES = 1024**2
SPARSE = "it holds a sparse file; pack without --sparse"
READ_BYTES = 1024**2
MAX_EMPTY_READS = 8
#: A zip's directory may take this many bytes an entry that the limits allow; it is read whole, whatever it holds.
ZIP_DIRECTORY_BYTES_PER_ENTRY = 256
MAGIC = {b"PK\x03\x04": "zip", b"PK\x05\x06": "zip", b"\x1f\x8b": "gzip"}
OTHER_MAGIC = (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")


ZIP_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    struct.error,
)


class ArchiveError(Exception):
    """Reading ends here: `archive_corrupt`, `archive_too_many_entries`, `archive_ratio_exceeded`, …"""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Found:
    """A regular file of an archive."""

    name: ItemName
    data: bytes


@dataclass(frozen=True)
class Refused:
    """A member that is not used, and why."""

    name: ItemName
    code: str
    message: str


Member = Found | Refused


def archive_kind(head: bytes) -> str | None:
    """`zip`, `tar`, `gzip` or `other` by a file's first 512 bytes, None when it is no archive."""
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            return kind
    if head[TAR_MAGIC_OFFSET : TAR_MAGIC_OFFSET + 5] == b"ustar":
        return "tar"
    return "other" if head.startswith(OTHER_MAGIC) else None


def kind_by_name(name: ItemName) -> str | None:
    """What a file claims to be by its name, for archives whose content does not begin with a known mark."""
    kinds = {".zip": "zip", ".tar": "tar", ".tar.gz": "gzip", ".tgz": "gzip"}
    return next((kind for suffix, kind in kinds.items() if name.ends_with((suffix,))), None)


def read_archive(path: Path, kind: str, limits: Limits) -> Iterator[Member]:
    """The files of an archive one by one; hidden ones and directories are passed over.

    Raises:
        ArchiveError: the archive is damaged or goes beyond a limit; what came before is good.
    """
    if kind == "zip":
        members = _read_zip(path, limits)
    elif kind == "tar":
        members = _read_tar(path, limits, packed=False)
    elif kind == "gzip":
        members = _read_tar(path, limits, packed=True)
    else:
        raise ArchiveError("unsupported_archive", "Archives are .zip, .tar or .tar.gz.")
    for member in members:
        yield _without_nested_archives(member)


def _without_nested_archives(member: Member) -> Member:
    if isinstance(member, Refused):
        return member
    by_name = kind_by_name(member.name) or member.name.ends_with(OTHER_ARCHIVE_SUFFIXES)
    nested = archive_kind(member.data[:512]) or by_name
    if nested:
        return Refused(member.name, "nested_archive", "Archives inside archives are not unpacked.")
    return member


def _refusal(name: ItemName, *, link: bool, special: bool, size: int, limits: Limits) -> Refused | None:
    if name.unsafe:
        return Refused(name, "unsafe_member_name", "The name is absolute or leaves the archive.")
    if link:
        return Refused(name, "link_member", "Links in archives are not followed.")
    if special:
        return Refused(name, "special_member", "Devices and other special files are not read.")
    return _too_large(name, limits) if size > limits.item_bytes else None


def _too_large(name: ItemName, limits: Limits) -> Refused:
    return Refused(name, "item_too_large", f"The file is larger than {limits.item_bytes:,} bytes.")


def _too_many_entries(limits: Limits) -> ArchiveError:
    return ArchiveError("archive_too_many_entries", f"An archive may hold {limits.archive_entries:,} entries.")


class _Budget:
    """Counts bytes that really came out of an archive, whatever its headers claim."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            message = "The archive unpacks to far more bytes than it holds; it looks like a decompression bomb."
            raise ArchiveError("archive_ratio_exceeded", message)


def _read_zip(path: Path, limits: Limits) -> Iterator[Member]:
    budget = _Budget(limits.unpacked_bytes(path.stat().st_size))
    try:
        _check_zip_directory(path, limits)
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OverflowError, struct.error) as error:
        raise ArchiveError("archive_corrupt", f"The zip archive cannot be read: {error}") from error
    with archive:
        entries = archive.infolist()
        if len(entries) > limits.archive_entries:
            raise _too_many_entries(limits)
        if sum(info.compress_size for info in entries) > path.stat().st_size:
            raise ArchiveError("archive_corrupt", "The zip archive's members overlap, or claim more than it holds.")
        for info in entries:
            name = parse_name(info.filename)
            if not info.is_dir() and not (name.ignored and not name.unsafe):
                yield _read_zip_entry(archive, info, name, limits, budget)


def _check_zip_directory(path: Path, limits: Limits) -> None:
    """Bound what `ZipFile` will read at once; its own record of the end says how much that is."""
    with path.open("rb") as stream:
        end = zipfile._EndRecData(stream)  # type: ignore[attr-defined]
    if end and end[zipfile._ECD_SIZE] > limits.archive_entries * ZIP_DIRECTORY_BYTES_PER_ENTRY:  # type: ignore[attr-defined]
        raise _too_many_entries(limits)


def _read_zip_entry(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: ItemName, limits: Limits, budget: _Budget
) -> Member:
    mode = stat.S_IFMT(info.external_attr >> 16)
    special = mode not in (0, stat.S_IFREG, stat.S_IFLNK)
    refusal = _refusal(name, link=mode == stat.S_IFLNK, special=special, size=info.file_size, limits=limits)
    if refusal is not None:
        return refusal
    if info.flag_bits & 1:
        return Refused(name, "encrypted_member", "The file is encrypted.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return Refused(name, "unsupported_compression", "Zip members must be stored or deflated.")
    try:
        if info.header_offset < 0:
            raise zipfile.BadZipFile("its header lies before the archive's start")
        with archive.open(info) as stream:
            data = _read_at_most(limits.item_bytes + 1, stream, budget)
    except ZIP_DAMAGE as error:
        return Refused(name, "member_corrupt", f"The file is damaged inside its archive: {error}")
    return _too_large(name, limits) if len(data) > limits.item_bytes else Found(name, data)


def _read_at_most(size: int, stream: IO[bytes], budget: _Budget) -> bytes:
    """Read block by block, so that what a damaged member unpacks to before its damage is counted too."""
    data = bytearray()
    while block := stream.read(min(READ_BYTES, size - len(data))):
        budget.spend(len(block))
        data += block
    return bytes(data)


class _StrictTarInfo(tarfile.TarInfo):
    """Makes damage in the middle of an archive an error (tarfile takes it for the end), and bounds header sizes.

    The maps of sparse files have no bound and tarfile reads them whole, so that these end the archive.
    """

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile_)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(str(error)) from error

    def _proc_member(self, tarfile_: tarfile.TarFile) -> tarfile.TarInfo:
        extended = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, b"L", b"K")
        if self.type in extended and self.size > TAR_HEADER_BYTES:
            raise tarfile.ReadError("a header is larger than a megabyte")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError(SPARSE)
        return super()._proc_member(tarfile_)  # type: ignore[misc, no-any-return]

    def _proc_gnusparse_10(self, *_: object) -> None:
        raise tarfile.ReadError(SPARSE)


class _Counted(io.RawIOBase):
    """A stream whose bytes come out of a budget, and whose end cannot be passed.

    To skip a member tarfile reads on, block by block, for as long as its header says, though nothing comes any more.
    """

    def __init__(self, stream: IO[bytes], budget: _Budget) -> None:
        self._stream = stream
        self._budget = budget
        self._empty_reads = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._budget.spend(len(data))
        self._empty_reads = 0 if data else self._empty_reads + 1
        if self._empty_reads > MAX_EMPTY_READS:
            raise EOFError("a member is larger than what is left of the archive")
        return data


def _read_tar(path: Path, limits: Limits, *, packed: bool) -> Iterator[Member]:
    budget = _Budget(limits.unpacked_bytes(path.stat().st_size))
    with path.open("rb") as file:
        stream: IO[bytes] = gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[assignment]
        try:
            yield from _read_tar_stream(_Counted(stream, budget), limits, budget)
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, OverflowError) as error:
            raise ArchiveError("archive_corrupt", f"The tar archive cannot be read (any further): {error}") from error


def _read_tar_stream(stream: _Counted, limits: Limits, budget: _Budget) -> Iterator[Member]:
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_StrictTarInfo) as archive:
        for count, info in enumerate(archive, start=1):
            if count > limits.archive_entries:
                raise _too_many_entries(limits)
            archive.members = []  # type: ignore[attr-defined] # tarfile would keep every header in memory
            name = parse_name(info.name)
            if not info.isdir() and not (name.ignored and not name.unsafe):
                yield _read_tar_entry(archive, info, name, limits, budget)


def _read_tar_entry(
    archive: tarfile.TarFile, info: tarfile.TarInfo, name: ItemName, limits: Limits, budget: _Budget
) -> Member:
    if info.size < 0:
        raise tarfile.ReadError("a member has a negative size")
    link = info.issym() or info.islnk()
    refusal = _refusal(name, link=link, special=not info.isreg(), size=info.size, limits=limits)
    if refusal is not None:
        return refusal
    stream = archive.extractfile(info)
    if stream is None:
        return Refused(name, "special_member", "Devices and other special files are not read.")
    data = stream.read()
    if info.issparse():
        budget.spend(len(data))  # zeros that were never in the stream
    return Found(name, data)
