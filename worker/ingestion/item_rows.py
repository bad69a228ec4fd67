"""The rows of a dataset's items, written in batches under the dataset's lease."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, TypedDict

from sqlalchemy import delete, insert, update

from pouf_core.contract.file_reading import shown_text
from pouf_core.data.item_names import ItemName, showable
from pouf_core.data.losses import Losses, Lost, Undecoded
from pouf_core.data.texts import TextItem
from store.disk import is_disk_full, require_space
from store.leases import Lease, database_now, fenced, renew
from store.outages import is_outage, patiently
from store.tables import Dataset, DatasetItem
from worker.ingestion.upload_limits import UploadLimits
from worker.process_context import WorkerContext

FLUSH_SECONDS = 2.0
SPACE_CHECK_BYTES = 8 * 1024**2
#: Accepted, duplicate and rejected entries together, as a multiple of the items that a dataset may hold.
ROWS_PER_ITEM = 4


class EndOfIngestion(Exception):
    """Ends the whole ingestion, not the item that is being read."""


class TooManyItems(EndOfIngestion):
    """The dataset holds more items than its limits allow."""


class TooManyRows(EndOfIngestion):
    """The uploads hold far more entries, usable or not, than a dataset may have items."""


class TooManyBytes(EndOfIngestion):
    """The dataset's owner may not store what the dataset unpacks to."""


def _passes_by_itself(error: BaseException) -> bool:
    """An outage, unless it is for lack of space, which the whole ingestion makes room for by ending."""
    return is_outage(error) and not is_disk_full(error)


class _Row(TypedDict):
    dataset_id: str
    name: str
    status: str
    sha256: str | None
    size: int | None
    code: str | None
    message: str | None
    storage_key: str | None
    text: str | None
    text_pair: str | None


@dataclass
class ItemRows:
    """What one ingestion has found so far; every write is under its lease.

    Attributes:
        check: called wherever the ingestion gets on; raises to end it.
        losses: the rejections by cause.
    """

    flush_rows: ClassVar[int] = 500

    context: WorkerContext
    lease: Lease[Dataset]
    limits: UploadLimits
    check: Callable[[], None]
    accepted: set[str] = field(default_factory=set)
    duplicates: int = 0
    rejected: int = 0
    losses: Losses = field(default_factory=Losses)
    extracted_bytes: int = 0
    _count: int = 0
    _rows: list[_Row] = field(default_factory=list)
    _space_checked_at: int = 0
    _flushed_at: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """Forget what an earlier, lost ingestion of the same dataset wrote."""
        patiently(self._begin, self.check, _passes_by_itself)

    def _begin(self) -> None:
        with self.context.database.write() as session:
            fenced(session, self.lease)
            session.execute(delete(DatasetItem).where(DatasetItem.dataset_id == self.lease.row_id))

    def extract(self, size: int) -> None:
        """Count bytes that are about to be stored beside the uploads.

        Raises:
            TooManyBytes: the owner may not store them.
            OSError: too little space would stay free.
        """
        if self.extracted_bytes + size > self.limits.extracted_bytes:
            raise TooManyBytes
        self.extracted_bytes += size
        if self.extracted_bytes >= self._space_checked_at + SPACE_CHECK_BYTES:
            self._space_checked_at = self.extracted_bytes
            require_space(self.context.settings, self.context.storage)

    def note_if_duplicate(self, name: ItemName, sha256: str, size: int, text: TextItem | None = None) -> bool:
        """Note an item whose content was accepted before; return whether it was. Of a `text` its beginning is shown."""
        if sha256 in self.accepted:
            self.duplicates += 1
            self._add_row(name, "duplicate", sha256=sha256, size=size, text=text)
            return True
        return False

    def accept(self, name: ItemName, sha256: str, size: int, storage_key: str, text: TextItem | None = None) -> None:
        """Note an item that is stored, or will be before the ingestion ends."""
        self.accepted.add(sha256)
        self._add_row(name, "accepted", sha256=sha256, size=size, storage_key=storage_key, text=text)

    def require_room_for_item(self) -> None:
        """Raise `TooManyItems` when no further item may be accepted."""
        if len(self.accepted) >= self.limits.items:
            raise TooManyItems

    def reject(
        self,
        name: ItemName,
        code: str,
        message: str,
        sha256: str | None = None,
        size: int | None = None,
        *,
        lost: Lost = "item",
        undecoded: Undecoded | None = None,
    ) -> None:
        """Note what cannot be used; `lost` and `undecoded` are as for `Losses.note`."""
        self.rejected += 1
        message = showable(message)
        self.losses.note(showable(name.text), code, message, lost, undecoded)
        self._add_row(name, "rejected", sha256=sha256, size=size, code=code, message=message)

    def flush_if_due(self) -> None:
        """`flush` after many rows, or some time; for long work without rows to call."""
        if len(self._rows) >= self.flush_rows or time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the rows found so far and renew the lease; raises `LeaseLost`."""
        patiently(self._write_rows, self.check, _passes_by_itself)
        self._flushed_at = time.monotonic()
        self._rows = []

    def _write_rows(self) -> None:
        with self.context.database.write() as session:
            renew(session, self.lease, database_now(session), self.context.settings.lease_seconds)
            # now, not at the end: what a failed ingestion leaves behind takes room too
            dataset = update(Dataset).where(Dataset.id == self.lease.row_id)
            session.execute(dataset.values(extracted_bytes=self.extracted_bytes))
            if self._rows:
                session.execute(insert(DatasetItem), self._rows)

    def _add_row(
        self,
        name: ItemName,
        status: str,
        *,
        sha256: str | None = None,
        size: int | None = None,
        code: str | None = None,
        message: str | None = None,
        storage_key: str | None = None,
        text: TextItem | None = None,
    ) -> None:
        self.check()
        self._count += 1
        if self._count > ROWS_PER_ITEM * self.context.settings.max_items:
            raise TooManyRows
        row = _Row(
            dataset_id=self.lease.row_id,
            name=showable(name.text),
            status=status,
            sha256=sha256,
            size=size,
            code=code,
            message=message,
            storage_key=storage_key,
            text=None if text is None else shown_text(text.text),
            text_pair=None if text is None or text.text_pair is None else shown_text(text.text_pair),
        )
        self._rows.append(row)
        self.flush_if_due()
