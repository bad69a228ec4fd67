"""Reading untrusted archives: members come out as bytes, nothing is written anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from pouf_core.data.archives.limits import ArchiveLimits
from pouf_core.data.archives.members import ArchiveError, Member, Refused
from pouf_core.data.archives.tars import read_tar
from pouf_core.data.archives.zips import read_zip
from pouf_core.data.file_kinds import HEAD_BYTES, ArchiveKind, archive_kind, archive_kind_by_name
from pouf_core.data.item_names import ItemName


def kind_of_upload(path: Path, name: ItemName) -> ArchiveKind | None:
    """How to read an upload as an archive, None when it is none.

    Its content decides; a name decides where the content has no known mark, so that damaged archives are told of.
    """
    with path.open("rb") as stream:
        kind = archive_kind(stream.read(HEAD_BYTES))
    if kind is not None:
        return kind
    claimed = archive_kind_by_name(name.file_name)
    return None if claimed == "other" else claimed


def read_archive(
    path: Path, kind: ArchiveKind, limits: ArchiveLimits, check: Callable[[], None] = lambda: None
) -> Iterator[Member]:
    """The files of an archive one by one; hidden ones and directories are passed over.

    Args:
        path: the archive.
        kind: as `kind_of_upload` says.
        limits: of entries and bytes.
        check: called at every block that is unpacked, of members that are passed over too; raises to end.

    Raises:
        ArchiveError: the archive is damaged or goes beyond a limit; what came before is good.
    """
    if kind == "other":
        raise ArchiveError("unsupported_archive", "Archives are .zip, .tar or .tar.gz.")
    members = read_zip(path, limits, check) if kind == "zip" else read_tar(path, limits, check, packed=kind == "gzip")
    for member in members:
        yield _without_nested_archives(member)


def _without_nested_archives(member: Member) -> Member:
    if isinstance(member, Refused):
        return member
    if archive_kind(member.data[:HEAD_BYTES]) or archive_kind_by_name(member.name.file_name):
        return Refused(member.name, "nested_archive", "Archives inside archives are not unpacked.")
    return member
