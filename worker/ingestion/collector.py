"""Keeps the items that ingestion finds: bytes in the storage, rows in the database, both written once."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, insert, update

from app.store.clock import utcnow
from app.store.leases import Lease, fenced, renew
from app.store.models import Dataset, DatasetItem
from pouf_core.errors import InvalidInput
from pouf_core.images import decode_image
from worker.context import WorkerContext
from worker.ingestion.labels import LabelsError, LabelTable, Occurrence, read_label_table
from worker.ingestion.limits import Limits
from worker.ingestion.names import ItemName

FLUSH_ROWS = 500
FLUSH_SECONDS = 2.0


def dataset_directory(dataset_id: str) -> str:
    """Where the storage keeps everything of one dataset."""
    return f"datasets/{dataset_id}"


class TooManyItems(Exception):
    """The dataset holds more pictures than the operator allows."""


class TooManyBytes(Exception):
    """The dataset's owner may not store what the dataset unpacks to."""


@dataclass
class Collector:
    """What one ingestion has found so far; every write is under its lease."""

    context: WorkerContext
    lease: Lease[Dataset]
    limits: Limits
    accepted: set[str] = field(default_factory=set)
    duplicates: int = 0
    rejected: int = 0
    extracted_bytes: int = 0
    occurrences: list[Occurrence] = field(default_factory=list)
    tables: list[LabelTable] = field(default_factory=list)
    _rows: list[dict[str, Any]] = field(default_factory=list)
    _flushed_at: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """Forget what an earlier, lost ingestion of the same dataset wrote."""
        with self.context.database.write() as session:
            fenced(session, self.lease)
            session.execute(delete(DatasetItem).where(DatasetItem.dataset_id == self.lease.row_id))

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
            decode_image(data, max_pixels=self.limits.pixels)
        except InvalidInput as error:
            self.reject(name, error.code, error.message, sha256, len(data))
            return
        if len(self.accepted) >= self.limits.items:
            raise TooManyItems
        self._accept(source, name, sha256, data, stored_at)

    def reject(
        self, name: ItemName, code: str, message: str, sha256: str | None = None, size: int | None = None
    ) -> None:
        """Note a file that cannot be used."""
        self.rejected += 1
        self._add_row(name, "rejected", sha256=sha256, size=size, code=code, message=message)

    def flush(self) -> None:
        """Write the rows found so far and renew the lease; raises `LeaseLost`."""
        self._flushed_at = time.monotonic()
        with self.context.database.write() as session:
            renew(session, self.lease, utcnow(), self.context.settings.lease_seconds)
            # now, not at the end: what a failed ingestion leaves behind takes room too
            dataset = update(Dataset).where(Dataset.id == self.lease.row_id)
            session.execute(dataset.values(extracted_bytes=self.extracted_bytes))
            if self._rows:
                session.execute(insert(DatasetItem), self._rows)
        self._rows = []

    def _add_labels(self, source: str, name: ItemName, data: bytes) -> None:
        try:
            self.tables.append(read_label_table(source, name.parts, data))
        except LabelsError as error:
            self.reject(name, "labels_unreadable", str(error), size=len(data))

    def _accept(self, source: str, name: ItemName, sha256: str, data: bytes, stored_at: str | None) -> None:
        # Below the dataset's own directory, so that deleting the dataset deletes its pictures.
        key = stored_at or f"{dataset_directory(self.lease.row_id)}/blobs/{sha256[:2]}/{sha256}"
        if stored_at is None:
            if self.extracted_bytes + len(data) > self.limits.extracted_bytes:
                raise TooManyBytes
            self.extracted_bytes += len(data)
            if not self.context.storage.exists(key):
                self.context.storage.put_stream(key, [data])
        self.accepted.add(sha256)
        self.occurrences.append(Occurrence(source, name.parts, sha256))
        self._add_row(name, "accepted", sha256=sha256, size=len(data), storage_key=key)

    def _accept_again(self, source: str, name: ItemName, sha256: str, size: int) -> None:
        self.duplicates += 1
        self.occurrences.append(Occurrence(source, name.parts, sha256))
        self._add_row(name, "duplicate", sha256=sha256, size=size)

    def _add_row(self, name: ItemName, status: str, **values: Any) -> None:
        row = dict.fromkeys(("sha256", "code", "message", "label", "storage_key", "size"))
        self._rows.append(row | {"dataset_id": self.lease.row_id, "name": name.text, "status": status} | values)
        if len(self._rows) >= FLUSH_ROWS or time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            self.flush()
