"""The files of a folder or an archive, one by one, as the library reads them where uploads are read by ingestion."""

from __future__ import annotations

import atexit
import math
import os
import shutil
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from pouf_core.contract.item_limits import MAX_ARCHIVE_ENTRIES, MAX_ARCHIVE_RATIO, MAX_ITEM_BYTES
from pouf_core.contract.rejections import SkipReason
from pouf_core.data.archives.limits import ArchiveLimits
from pouf_core.data.archives.members import ArchiveError, Found, Large, Refused, Skipped
from pouf_core.data.archives.reading import is_packed_file, kind_of_upload, names_in, read_archive, unpack_file
from pouf_core.data.file_kinds import ArchiveKind, arrow_form, unpacked_name
from pouf_core.data.item_names import ItemName, parse_name
from pouf_core.data.losses import Rejected
from pouf_core.errors import InvalidInput

#: Of what a person reads on their own machine.
LIBRARY_LIMITS = ArchiveLimits(
    item_bytes=MAX_ITEM_BYTES, archive_entries=MAX_ARCHIVE_ENTRIES, archive_ratio=MAX_ARCHIVE_RATIO
)


@dataclass(frozen=True)
class SourceFile:
    """A file that was found.

    Attributes:
        name: from the folder or the archive on.
        source: the archive that holds it; empty where none does.
        path: where its content is.
        unpacked: whether that is a copy, which is gone when the next file is asked for.
        label: what the table says that holds a picture.
    """

    name: ItemName
    path: Path
    unpacked: bool = False
    source: str = ""
    label: str | None = None


class SourceFiles:
    """The files of a folder and its sub-folders, and those in archives, which are read as uploads are.

    Args:
        root: a folder or a file.

    Attributes:
        root: as given.
        skipped: how many files were passed over so far, by reason.
        rejected: what could not be read so far: archives, or members of them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.skipped: Counter[SkipReason] = Counter()
        self.rejected: list[Rejected] = []

    def __iter__(self) -> Generator[SourceFile]:
        with TemporaryDirectory(prefix="pouf-unpacked-") as folder:
            for path in self.paths():
                name = parse_name(path.relative_to(self.root).as_posix() if path != self.root else path.name)
                if name.skipped and path != self.root:
                    self.skipped[name.skipped] += 1
                    continue
                if not path.is_file():
                    self.rejected.append(Rejected(str(path), "special_file", "It is no file, or a link to nowhere."))
                    continue
                try:
                    yield from self._read(name, path, Path(folder) / "file")
                except ArchiveError as error:
                    self.rejected.append(Rejected(str(path), error.code, error.message, lost="rest"))

    def place(self, name: ItemName) -> str:
        """The path of a file of that name, in an archive too; that of a row is the table's, with its number."""
        is_table = arrow_form(self.root.name) and self.root.is_file()
        return str((self.root.parent if is_table else self.root) / name.text)

    def paths(self) -> Iterator[Path]:
        """The files of the folder and its sub-folders, in order, or the file."""
        if not self.root.is_dir():
            yield self.root
            return
        for folder, folders, names in os.walk(self.root):
            folders.sort()
            yield from (Path(folder) / name for name in sorted(names))

    def _read(self, name: ItemName, path: Path, target: Path) -> Iterator[SourceFile]:
        kind = kind_of_upload(path, name)
        if kind is None:
            yield SourceFile(name, path)
        elif is_packed_file(path, name, kind):
            unpack_file(path, kind, target, LIBRARY_LIMITS)
            yield SourceFile(parse_name(unpacked_name(name.text)), target, unpacked=True)
        else:
            yield from self._members(path, kind, target)

    def _members(self, path: Path, kind: ArchiveKind, target: Path) -> Iterator[SourceFile]:
        for member in read_archive(path, kind, LIBRARY_LIMITS):
            if isinstance(member, Skipped):
                self.skipped[member.reason] += 1
            elif refused := _refused_or_written(member, target):
                self.rejected.append(Rejected(str(path / refused.name.text), refused.code, refused.message))
            else:
                yield SourceFile(member.name, target, unpacked=True, source=str(path))


def _refused_or_written(member: Found | Large | Refused, target: Path) -> Refused | None:
    """Write a member of an archive; returns why it is not used instead."""
    if isinstance(member, Refused):
        return member
    if isinstance(member, Found):
        target.write_bytes(member.data)
        return None
    try:
        member.write(target, math.inf, lambda: None)
    except InvalidInput as error:
        return Refused(member.name, error.code, error.message)
    return None


def file_names(root: Path, *, inside: bool = False) -> Iterator[str]:
    """The names of a folder's own files, or of a file; `inside`: those in archives in place of these."""
    for path in SourceFiles(root).paths():
        name = parse_name(path.name)
        if not name.skipped:
            names = names_in(path, name, LIBRARY_LIMITS) if inside and path.is_file() else (name,)
            yield from (each.file_name for each in names if not each.skipped)


def kept(file: SourceFile, sha256: str) -> Path:
    """Where a file's content stays as long as this process lives."""
    if not file.unpacked:
        return file.path
    place = _kept_files() / sha256
    if not place.exists():
        shutil.move(file.path, place)
    return place


@cache
def _kept_files() -> Path:
    folder, process_id = Path(mkdtemp(prefix="pouf-pictures-")), os.getpid()

    def remove() -> None:
        if os.getpid() == process_id:  # not in processes that were forked
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder
