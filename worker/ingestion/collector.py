"""Keeps the pictures that ingestion finds: bytes in the storage, rows in the database, both written once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from pouf_core.data.decoder import Decoder
from pouf_core.errors import InvalidInput
from store.storage_keys import picture_key
from worker.ingestion.labels import LabelsError, LabelTable, Occurrence, read_label_table
from worker.ingestion.names import ItemName
from worker.ingestion.rows import ItemRows, TooManyItems


@dataclass
class Collector(ItemRows):
    """The pictures of one ingestion."""

    decoder: Decoder = field(kw_only=True)
    occurrences: list[Occurrence] = field(default_factory=list)
    tables: list[LabelTable] = field(default_factory=list)

    def add_file(self, source: str, name: ItemName, data: bytes, stored_at: str | None = None) -> None:
        """Take a picture in, or the table of evaluation labels; `stored_at` is its key if it is stored already."""
        if name.is_labels:
            self._add_labels(source, name, data)
            return
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 in self.accepted:
            self._accept_again(source, name, sha256, len(data))
            return
        try:
            self.decoder.check(data, self.limits.pixels)
        except InvalidInput as error:
            self.reject(name, error.code, error.message, sha256, len(data))
            return
        if len(self.accepted) >= self.limits.items:
            raise TooManyItems
        self._accept(source, name, sha256, data, stored_at)

    def _add_labels(self, source: str, name: ItemName, data: bytes) -> None:
        try:
            left = self.limits.items - sum(len(table.rows) for table in self.tables)
            self.tables.append(read_label_table(source, name.parts, data, left))
        except LabelsError as error:
            self.reject(name, "labels_unreadable", str(error), size=len(data))

    def _accept(self, source: str, name: ItemName, sha256: str, data: bytes, stored_at: str | None) -> None:
        key = stored_at or picture_key(self.lease.row_id, sha256)
        if stored_at is None:
            self.extract(len(data))
            if not self.context.storage.exists(key):
                self.context.storage.put_stream(key, [data])
        self.accepted.add(sha256)
        self.occurrences.append(Occurrence(source, name.parts, sha256))
        self._add_row(name, "accepted", sha256=sha256, size=len(data), storage_key=key)

    def _accept_again(self, source: str, name: ItemName, sha256: str, size: int) -> None:
        self.duplicates += 1
        self.occurrences.append(Occurrence(source, name.parts, sha256))
        self._add_row(name, "duplicate", sha256=sha256, size=size)
