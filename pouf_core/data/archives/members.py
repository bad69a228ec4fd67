"""What comes out of an untrusted archive: members as bytes, refusals with a reason, and the limits that all share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pouf_core.contract.rejections import SkipReason
from pouf_core.data.archives.limits import ArchiveLimits
from pouf_core.data.archives.packings import Readable
from pouf_core.data.file_kinds import OF_MANY_SUFFIXES
from pouf_core.data.item_names import ItemName

_BLOCK_BYTES = 1024**2


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


#: Writes what is unpacked into a file, at most so many bytes of it, and calls a check at every block; returns whether
#: that is all.
WriteFile = Callable[[Path, float, Callable[[], None]], bool]


@dataclass(frozen=True)
class Large:
    """A file of many items, too large to be kept in memory.

    Attributes:
        size: in bytes, as the archive says.
        write: writes it, until the next member is asked for; raises `InvalidInput` `member_corrupt`, or `ArchiveError`.
    """

    name: ItemName
    size: int
    write: WriteFile


@dataclass(frozen=True)
class Refused:
    """A member that is not used, and why."""

    name: ItemName
    code: str
    message: str


@dataclass(frozen=True)
class Skipped:
    """A member that is no person's own file, and why."""

    name: ItemName
    reason: SkipReason


Member = Found | Large | Refused | Skipped


class UnpackedBytes:
    """Counts the bytes that really came out of an archive, whatever its headers claim.

    `check` is called at every block, and raises to end the reading.
    """

    def __init__(self, limit: int, check: Callable[[], None]) -> None:
        self._left = limit
        self._check = check

    def count(self, size: int) -> None:
        """Note bytes as unpacked; raises `ArchiveError` above the limit."""
        self._check()
        self._left -= size
        if self._left < 0:
            message = "The archive unpacks to far more bytes than it holds; it looks like a decompression bomb."
            raise ArchiveError("archive_ratio_exceeded", message)

    def read(self, stream: Readable, most: int) -> bytes:
        """Read a member, `most` bytes of it at most; raises as `count` and the stream do.

        It is read block by block, so that what a damaged member unpacks to before its damage is counted, too.
        """
        data = bytearray()
        while block := stream.read(min(_BLOCK_BYTES, most - len(data))):
            self.count(len(block))
            data += block
        return bytes(data)


def blocks_of(
    stream: Readable, damage: tuple[type[Exception], ...], told: Callable[[Exception], Exception]
) -> Iterator[bytes]:
    """A stream, block by block; raises what damage is `told` by."""
    while True:
        try:
            block = stream.read(_BLOCK_BYTES)
        except damage as error:
            raise told(error) from error
        if not block:
            return
        yield block


def write_blocks(blocks: Iterator[bytes], target: Path, most_bytes: float, note: Callable[[int], None]) -> bool:
    """Write blocks into a file, at most so many bytes, each noted by its size; returns whether that is all."""
    with target.open("wb") as result:
        for block in blocks:
            note(len(block))
            if result.tell() + len(block) > most_bytes:
                return False
            result.write(block)
    return True


def holds_many(name: ItemName) -> bool:
    """Whether a file holds many items, by its name, so that it may be larger than one."""
    return name.file_name.lower().endswith(OF_MANY_SUFFIXES)


def refusal(name: ItemName, *, link: bool, special: bool, size: int, limits: ArchiveLimits) -> Refused | None:
    """Why a member is not even read, or None."""
    if name.unsafe:
        return Refused(name, "unsafe_member_name", "The name is absolute or leaves the archive.")
    if link:
        return Refused(name, "link_member", "Links in archives are not followed.")
    if special:
        return special_member(name)
    return too_large(name, limits) if size > limits.item_bytes and not holds_many(name) else None


def special_member(name: ItemName) -> Refused:
    """Refuse what is no regular file."""
    return Refused(name, "special_member", "Devices and other special files are not read.")


def too_large(name: ItemName, limits: ArchiveLimits) -> Refused:
    """Refuse a file for its size."""
    return Refused(name, "item_too_large", f"The file is larger than {limits.item_bytes:,} bytes.")


def too_many_entries(limits: ArchiveLimits) -> ArchiveError:
    """End an archive for the number of its entries."""
    return ArchiveError("archive_too_many_entries", f"An archive may hold {limits.archive_entries:,} entries.")
