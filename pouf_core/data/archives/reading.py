"""Reading untrusted archives, and single files that are packed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from pouf_core.data.archives.limits import ArchiveLimits
from pouf_core.data.archives.members import (
    ArchiveError,
    Found,
    Member,
    Refused,
    UnpackedBytes,
    blocks_of,
    write_blocks,
)
from pouf_core.data.archives.packings import DAMAGE, head_of_packed, unpacked
from pouf_core.data.archives.tars import read_tar
from pouf_core.data.archives.zips import names_in_zip, read_zip
from pouf_core.data.file_kinds import (
    DOCUMENT_SUFFIXES,
    HEAD_BYTES,
    PACKED_SUFFIXES,
    ArchiveKind,
    archive_kind,
    archive_kind_by_name,
    is_tar,
    unpacked_name,
)
from pouf_core.data.item_names import ItemName, parse_name

_NAMES_OF_A_TAR = 2000  # that are looked at
_UNSUPPORTED = (
    "Archives are .zip, and .tar plain or packed as .gz, .bz2 or .xz. Unpack this one, and send the files or a .zip."
)


def kind_of_upload(path: Path, name: ItemName) -> ArchiveKind | None:
    """How to read an upload as an archive, or as a packed file (see `is_packed_file`); None when it is none.

    Its content decides; a name decides where the content has no known mark, so that damaged archives are told of.
    """
    if name.file_name.lower().endswith(DOCUMENT_SUFFIXES):
        return None
    with path.open("rb") as stream:
        kind = archive_kind(stream.read(HEAD_BYTES))
    if kind is not None:
        return kind
    claimed = archive_kind_by_name(name.file_name)
    return None if claimed == "other" else claimed


def is_packed_file(path: Path, name: ItemName, kind: ArchiveKind) -> bool:
    """Whether what is packed is a single file, not a tar."""
    if kind not in PACKED_SUFFIXES.values() or archive_kind_by_name(name.file_name) == kind:
        return False
    return not is_tar(head_of_packed(path, kind, HEAD_BYTES))


def unpack_file(
    path: Path,
    kind: ArchiveKind,
    target: Path,
    limits: ArchiveLimits,
    check: Callable[[], None] = lambda: None,
    most_bytes: float = math.inf,
) -> bool:
    """Write what a packed file holds; returns whether that is all of it.

    Args:
        path, kind: of the packed file.
        target: to be written.
        limits: of what it may unpack to.
        check: called at every block; raises to end.
        most_bytes: after which no more is written.

    Raises:
        ArchiveError: it is damaged, or goes beyond a limit.
    """
    count = UnpackedBytes(limits.unpacked_bytes(path.stat().st_size), check)
    with path.open("rb") as file:
        return write_blocks(blocks_of(unpacked(file, kind, check), DAMAGE, _corrupt), target, most_bytes, count.count)


def _corrupt(error: Exception) -> ArchiveError:
    return ArchiveError("archive_corrupt", f"The packed file cannot be read: {error}")


def read_archive(
    path: Path, kind: ArchiveKind, limits: ArchiveLimits, check: Callable[[], None] = lambda: None
) -> Iterator[Member]:
    """The files of an archive one by one, and what is refused and skipped; directories are passed over.

    Args:
        path: the archive.
        kind: as `kind_of_upload` says.
        limits: of entries and bytes.
        check: called at every block that is unpacked, of members that are passed over too; raises to end.

    Raises:
        ArchiveError: the archive is damaged or goes beyond a limit; what came before is good.
    """
    if kind == "other":
        raise ArchiveError("unsupported_archive", _UNSUPPORTED)
    members = read_zip(path, limits, check) if kind == "zip" else read_tar(path, kind, limits, check)
    for member in members:
        yield _without_nested_archives(member)


def names_in(
    path: Path, name: ItemName, limits: ArchiveLimits, check: Callable[[], None] = lambda: None
) -> Iterator[ItemName]:
    """The names of the files in an upload: its own, or those of its members where it is an archive.

    Those of a tar, which has no list of them, as far as its first files go; none of an archive that cannot be read.

    Args:
        path, name: of the upload.
        limits: of entries and bytes.
        check: as for `read_archive`.
    """
    kind = kind_of_upload(path, name)
    if kind is None or kind == "other":
        yield name
    elif is_packed_file(path, name, kind):
        yield parse_name(unpacked_name(name.text))
    else:
        with suppress(ArchiveError):
            if kind == "zip":
                yield from names_in_zip(path, limits)
            else:
                for member in islice(read_tar(path, kind, limits, check), _NAMES_OF_A_TAR):
                    yield member.name


def _without_nested_archives(member: Member) -> Member:
    if not isinstance(member, Found) or member.name.file_name.lower().endswith(DOCUMENT_SUFFIXES):
        return member
    if archive_kind(member.data[:HEAD_BYTES]) or archive_kind_by_name(member.name.file_name):
        return Refused(
            member.name,
            "nested_archive",
            "Archives inside archives are not unpacked. Unpack this one, and send its files, or a .zip of all files.",
        )
    return member
