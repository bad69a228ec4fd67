"""Reads the uploads of a dataset, and the files in their archives, one by one: the same for pictures and texts."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar

from pouf_core.contract.base_model import Modality
from pouf_core.contract.file_reading import FileReading
from pouf_core.contract.findings import Finding, sentence
from pouf_core.contract.labels import LabelsWanted
from pouf_core.data.archives.members import ArchiveError, Found, Large, Skipped, WriteFile
from pouf_core.data.archives.reading import is_packed_file, kind_of_upload, read_archive, unpack_file
from pouf_core.data.decoder import TIMED_OUT as DECODING_TIMED_OUT
from pouf_core.data.file_kinds import LINE_SUFFIXES, ArchiveKind, is_named_for_labels, unpacked_name
from pouf_core.data.item_names import ItemName, parse_name
from pouf_core.data.labels.labelling import Labelling
from pouf_core.data.limited_process import ReaderUnavailable
from pouf_core.data.reading.reader import TIMED_OUT as READING_TIMED_OUT
from pouf_core.data.reading.reader import FileReader
from pouf_core.data.uploads.found_items import FoundItems
from pouf_core.data.uploads.keeper import EndOfReading, EndOfUpload, Uploaded
from pouf_core.errors import InvalidInput

logger = logging.getLogger(__name__)

UNREADABLE = "unreadable_file"
TOO_SLOW = "uploads_too_slow"
MOST_SLOW_FILES = 10
"""Files that may take all the time there is for one, before the rest of the uploads is left unread."""
_SLOW = f"{MOST_SLOW_FILES} files before it took all the time that one may take; leave such files out."
#: The source of files that were uploaded by themselves; a file of labels among them names them all.
LOOSE_FILES = "loose files"


@dataclass(frozen=True)
class Description:
    """What is known of the items together.

    Attributes:
        text_pairs: whether they are pairs of texts.
        readings: how files of texts were read.
        embedding_width, embedding_templates: d and T of embeddings.
    """

    text_pairs: bool = False
    readings: Sequence[FileReading] = ()
    embedding_width: int | None = None
    embedding_templates: int | None = None


@dataclass
class Collector(FoundItems, ABC):
    """The items of a dataset.

    Attributes:
        modality: what they are.
        noun: what a message calls one of them, or a file of them.
        items: what a message calls several of them.
        file_is_item: whether a file holds one of them, not several.
        takes_label_files: whether there are files that label the others.
        labels_wanted: where labels may come from.
        reader: reads files of texts, labels and embeddings.
    """

    modality: ClassVar[Modality]
    noun: ClassVar[str]
    items: ClassVar[str]
    file_is_item: ClassVar[bool] = False
    takes_label_files: ClassVar[bool] = True

    labels_wanted: LabelsWanted = field(default="auto", kw_only=True)
    reader: FileReader = field(kw_only=True)

    def collect(self, uploads: Sequence[Uploaded]) -> None:
        """Read every upload, in order.

        Whatever error one file causes, it alone is rejected.

        Raises:
            TooManyItems, TooManyRows, TooManyBytes: more than the limits allow.
            ReaderUnavailable: no file can be read.
            Exception: what the keeper does not take for a fault of a file.
        """
        for upload in uploads:
            with suppress(EndOfUpload):
                self._guarded(parse_name(upload.filename), upload.size, partial(self._read_upload, upload))
                self.check()

    def description(self) -> Description:
        """What is known of the items together."""
        return Description()

    def warnings(self) -> list[Finding]:
        """What to know of what was read, labels aside."""
        return self.losses.warnings(self.used, self.items)

    def failure(self) -> InvalidInput:
        """Why there is no item that can be used."""
        none, groups = f"None of the uploaded files is a usable {self.noun}", self.losses.groups()
        if not groups and self.skipped:
            reasons = " and ".join(reason.replace("_", " ") for reason in sorted(self.skipped))
            said = f"what there is was passed over ({reasons}). Call files that are items otherwise"
            return InvalidInput("no_usable_items", f"{none}; {said}.")
        if not groups:
            return InvalidInput("no_usable_items", f"{none}; they hold no item at all.")
        first = groups[0]
        message = f"{none}. For example, {first.example_name}: {first.message}"
        return InvalidInput("no_usable_items", sentence(message))

    @abstractmethod
    def labelling(self) -> Labelling:
        """The evaluation labels of what was accepted."""

    def unwritten(self, labelling: Labelling) -> Mapping[str, Set[str]]:
        """Of the labels those that the accepted items were not given with."""
        return labelling.labels

    @abstractmethod
    def _read_loose_file(self, name: ItemName, path: Path, upload: Uploaded) -> None:
        """Read an upload that is no archive."""

    @abstractmethod
    def _read_unpacked_file(self, name: ItemName, path: Path, upload: Uploaded, source: str) -> None:
        """Read what an upload that is a packed file holds, or a large member; it is removed afterwards."""

    @abstractmethod
    def _read_member(self, member: Found, upload: Uploaded) -> None:
        """Read a file of an uploaded archive."""

    def _archive_kind(self, path: Path, name: ItemName) -> ArchiveKind | None:
        """How to read an upload as an archive, None when it is none."""
        return kind_of_upload(path, name)

    @property
    def _is_too_slow(self) -> bool:
        return self.losses.count(READING_TIMED_OUT, DECODING_TIMED_OUT) >= MOST_SLOW_FILES

    def _read_upload(self, upload: Uploaded) -> None:
        name = parse_name(upload.filename)
        if name.skipped:
            self.skip(name.skipped)
            return
        if self._is_too_slow:
            self.reject(name, TOO_SLOW, _SLOW, upload.sha256, upload.size, lost="rest")
            return
        path = self.keeper.local(upload)
        kind = self._archive_kind(path, name)
        if kind is None:
            self._read_loose_file(name, path, upload)
            return
        try:
            if is_packed_file(path, name, kind):
                self._read_packed_file(name, path, kind, upload)
            else:
                self._read_archive(path, kind, upload)
        except ArchiveError as error:
            self.reject(name, error.code, error.message, upload.sha256, upload.size, lost="rest")

    def _read_archive(self, path: Path, kind: ArchiveKind, upload: Uploaded) -> None:
        known = self._look_for_labels(path, kind, upload)
        for member in read_archive(path, kind, self.limits, self.check):
            if self._is_too_slow:
                raise ArchiveError(TOO_SLOW, _SLOW)
            if member.name in known:
                continue
            if isinstance(member, Found):
                self._guarded(member.name, len(member.data), partial(self._read_member, member, upload))
            elif isinstance(member, Large):
                self._read_large_member(member, upload)
            elif isinstance(member, Skipped):
                self.skip(member.reason)
            else:
                self.reject(member.name, member.code, member.message)
            self.check()

    def _look_for_labels(self, path: Path, kind: ArchiveKind, upload: Uploaded) -> set[ItemName]:
        """Read the files of labels, which in a tar may stand behind what is read of it; returns their names."""
        known = set[ItemName]()
        if not (self.keeper.looks_for_labels and self.takes_label_files) or kind == "zip":  # which gives them first
            return known
        with suppress(EndOfUpload, ArchiveError):  # the archive is read anew
            for member in read_archive(path, kind, self.limits, self.keeper.check_looking):
                if isinstance(member, Found) and is_named_for_labels(member.name.file_name):
                    known.add(member.name)
                    self._guarded(member.name, len(member.data), partial(self._read_member, member, upload))
                self.keeper.check_looking()
        return known

    def _read_packed_file(self, name: ItemName, path: Path, kind: ArchiveKind, upload: Uploaded) -> None:
        def write(target: Path, most_bytes: float, check: Callable[[], None]) -> bool:
            return unpack_file(path, kind, target, self.limits, check, most_bytes)

        unpacked = parse_name(unpacked_name(name.text))
        with self._unpacked(unpacked, write) as target:
            self._read_unpacked_file(unpacked, target, upload, LOOSE_FILES)

    def _read_large_member(self, member: Large, upload: Uploaded) -> None:
        try:
            with self._unpacked(member.name, member.write) as target:
                read = partial(self._read_unpacked_file, member.name, target, upload, upload.id)
                self._guarded(member.name, member.size, read)
        except InvalidInput as error:
            self.reject(member.name, error.code, error.message, size=member.size, lost="rest")

    @contextmanager
    def _unpacked(self, name: ItemName, write: WriteFile) -> Iterator[Path]:
        """A file that is written to the disk, as much of it as the keeper takes."""

        def check() -> None:
            self.check()
            self.keeper.require_room()

        with self.keeper.folder("unpacked") as folder:
            target = folder / "file"
            is_of_lines = name.file_name.lower().endswith(LINE_SUFFIXES)
            if not write(target, self.keeper.unpacked_bytes(is_of_lines=is_of_lines), check):
                self.keeper.cut = True
                if not is_of_lines:
                    raise EndOfUpload
            yield target

    def _guarded(self, name: ItemName, size: int, read: Callable[[], None]) -> None:
        """Read one file, and reject it for whatever error it causes: the next attempt would meet the same."""
        try:
            read()
        except (EndOfReading, EndOfUpload, ReaderUnavailable):
            raise
        except Exception as error:
            if self.keeper.ends(error):
                raise
            logger.exception("%s could not be read.", name.text)
            message = f"The file cannot be read ({type(error).__name__}). Save it again, in one of the usual formats."
            self.reject(name, UNREADABLE, message, size=size, lost="item" if self.file_is_item else "rest")
