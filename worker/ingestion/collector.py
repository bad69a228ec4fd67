"""Reads the uploads of a dataset, and the files in their archives, one by one: the same for pictures and texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pouf_core.contract.base_model import Modality
from pouf_core.data.file_kinds import ArchiveKind
from store.tables import Dataset, Upload
from worker.ingestion.archive_members import ArchiveError, Found
from worker.ingestion.archives import kind_of_upload, read_archive
from worker.ingestion.item_names import ItemName, parse_name
from worker.ingestion.item_rows import ItemRows


@dataclass
class Collector(ItemRows, ABC):
    """The items of one ingestion.

    Attributes:
        modality: what they are.
        noun: what a message calls one of them, or a file of them.
    """

    modality: ClassVar[Modality]
    noun: ClassVar[str]

    def collect(self, uploads: Sequence[Upload], check: Callable[[], None]) -> None:
        """Read every upload.

        Args:
            uploads: in order.
            check: called after every upload and every member of an archive; raises to end the ingestion.

        Raises:
            TooManyItems, TooManyRows, TooManyBytes: more than the limits allow.
        """
        for upload in uploads:
            self._read_upload(upload, check)
            check()

    def describe(self, dataset: Dataset) -> None:
        """Set the fields of a dataset that are about items of this modality."""

    @abstractmethod
    def labels(self) -> dict[str, set[str]]:
        """The evaluation labels of each labelled content hash; more than one contradict each other."""

    @abstractmethod
    def _read_loose_file(self, name: ItemName, path: Path, upload: Upload) -> None:
        """Read an upload that is no archive."""

    @abstractmethod
    def _read_member(self, member: Found, upload: Upload) -> None:
        """Read a file of an uploaded archive."""

    def _archive_kind(self, path: Path, name: ItemName) -> ArchiveKind | None:
        """How to read an upload as an archive, None when it is none."""
        return kind_of_upload(path, name)

    def _read_upload(self, upload: Upload, check: Callable[[], None]) -> None:
        name = parse_name(upload.filename)
        path = self.context.storage.local(upload.storage_key)
        kind = self._archive_kind(path, name)
        if kind is None:
            self._read_loose_file(name, path, upload)
            return
        try:
            for member in read_archive(path, kind, self.limits):
                if isinstance(member, Found):
                    self._read_member(member, upload)
                else:
                    self.reject(member.name, member.code, member.message)
                check()
        except ArchiveError as error:
            self.reject(name, error.code, error.message, upload.sha256, upload.size)
