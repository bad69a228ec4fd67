"""Single files that are packed inside an archive, such as `train.jsonl.gz`."""

from __future__ import annotations

import io

from pouf_core.data.archives.limits import ArchiveLimits
from pouf_core.data.archives.members import Found, Member, Refused, UnpackedBytes, too_large
from pouf_core.data.archives.packings import DAMAGE, unpacked
from pouf_core.data.file_kinds import HEAD_BYTES, PACKED_SUFFIXES, archive_kind, is_tar, unpacked_name
from pouf_core.data.item_names import parse_name


def unpacked_member(member: Found, limits: ArchiveLimits, count: UnpackedBytes) -> Member:
    """What a member holds, where it is a packed file; else the member, also where it is a packed archive.

    Args:
        member: of an archive.
        limits: of one file.
        count: counts what comes out.
    """
    kind = archive_kind(member.data[:HEAD_BYTES])
    if kind is None or kind not in PACKED_SUFFIXES.values():
        return member
    try:
        data = count.read(unpacked(io.BytesIO(member.data), kind), limits.item_bytes + 1)
    except DAMAGE as error:
        return Refused(member.name, "member_corrupt", f"The packed file is damaged: {error}")
    if len(data) > limits.item_bytes:
        return too_large(member.name, limits)
    return member if is_tar(data[:HEAD_BYTES]) else Found(parse_name(unpacked_name(member.name.text)), data)
