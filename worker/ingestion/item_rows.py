"""Ingestion's keeper: rows of items, written in batches under the dataset's lease, and files in the storage."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from pouf_core.contract.file_reading import shown_text
from pouf_core.data.uploads.keeper import FolderUse, FoundItem, Keeper, Uploaded, WholeFile
from store.disk import is_disk_full, require_space, scarcest
from store.leases import Lease, LeaseLost, database_now, fenced, renew
from store.outages import is_outage, patiently
from store.row_removal import forget_rows
from store.storage_keys import embeddings_key, picture_key, texts_key
from store.tables import Dataset, DatasetItem
from worker.ingestion.turns import TurnOver
from worker.process_context import WorkerContext
from worker.shutdown import ShuttingDown

FLUSH_SECONDS = 2.0
SPACE_CHECK_BYTES = 8 * 1024**2
_KEYS = {"texts": texts_key, "embeddings": embeddings_key}


def _passes_by_itself(error: BaseException) -> bool:
    """An outage, unless it is for lack of space, which the whole ingestion makes room for by ending."""
    return is_outage(error) and not is_disk_full(error)


@dataclass
class ItemRows(Keeper):
    """Writes down what one ingestion finds; every write is under its lease.

    Attributes:
        ask: called wherever the ingestion gets on; raises to end it.
        around_long_steps: around what takes long and reports nothing.
        flush_rows: that are written at a time.
    """

    context: WorkerContext
    lease: Lease[Dataset]
    ask: Callable[[], None]
    around_long_steps: Callable[[], AbstractContextManager[None]]
    flush_rows: int
    _rows: list[dict[str, Any]] = field(default_factory=list)
    _extracted_bytes: int = 0
    _written: int = 0
    _space_checked_at: int = 0
    _flushed_at: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """Forget what an earlier, lost ingestion of the same dataset wrote."""
        patiently(self._begin, self.check, _passes_by_itself)

    def _begin(self) -> None:
        forget_rows(self._write, DatasetItem, DatasetItem.dataset_id == self.lease.row_id)

    @contextmanager
    def _write(self) -> Iterator[Session]:
        self.ask()
        with self.context.database.write() as session:
            fenced(session, self.lease)
            yield session

    def check(self) -> None:
        self.ask()

    def check_waiting(self) -> None:
        self.ask()

    def ends(self, error: Exception) -> bool:
        return isinstance(error, LeaseLost | ShuttingDown | TurnOver) or is_disk_full(error) or is_outage(error)

    def local(self, upload: Uploaded) -> Path:
        return self.context.storage.local(upload.key)

    def add(self, item: FoundItem) -> None:
        text = item.text
        self._rows.append(
            {
                "dataset_id": self.lease.row_id,
                "name": item.name,
                "status": item.status,
                "sha256": item.sha256,
                "size": item.size,
                "code": item.code,
                "message": item.message,
                "storage_key": item.key,
                "label": item.label,
                "text": None if text is None else shown_text(text.text),
                "text_pair": None if text is None or text.text_pair is None else shown_text(text.text_pair),
            }
        )
        if len(self._rows) >= self.flush_rows or time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            self.flush()

    @contextmanager
    def folder(self, use: FolderUse) -> Iterator[Path]:
        staging = self.context.settings.staging_dir
        staging.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f"{use}-", dir=staging) as folder:
            yield Path(folder)

    def room(self) -> int:
        disk = scarcest(self.context.settings, self.context.storage)
        return max(disk.free - disk.floor, 0)

    def require_room(self) -> None:
        require_space(self.context.settings, self.context.storage)

    def extract(self, extracted_bytes: int) -> None:
        self._extracted_bytes = extracted_bytes
        if extracted_bytes >= self._space_checked_at + SPACE_CHECK_BYTES:
            self._space_checked_at = extracted_bytes
            self.require_room()

    def key_of_file(self, kind: WholeFile) -> str:
        return _KEYS[kind](self.lease.row_id, self.lease.fence)

    def keep_file(self, kind: WholeFile, path: Path) -> None:
        self.context.storage.put_file(self.key_of_file(kind), path, move=True)

    def keep_picture(self, sha256: str, data: bytes) -> str:
        key = picture_key(self.lease.row_id, sha256)
        if not self.context.storage.exists(key):
            self.context.storage.put_stream(key, [data])
        return key

    def long_step(self) -> AbstractContextManager[None]:
        return self.around_long_steps()

    def flush(self) -> None:
        """Write the rows found so far and renew the lease; raises `LeaseLost`."""
        patiently(self._write_rows, self.check, _passes_by_itself)
        self._flushed_at = time.monotonic()
        self._written += len(self._rows)
        self._rows = []

    def _write_rows(self) -> None:
        with self.context.database.write() as session:
            renew(session, self.lease, database_now(session), self.context.settings.lease_seconds)
            # now, not at the end: what a failed ingestion leaves behind takes room too
            dataset = update(Dataset).where(Dataset.id == self.lease.row_id)
            entries = self._written + len(self._rows)
            session.execute(dataset.values(extracted_bytes=self._extracted_bytes, entry_count=entries))
            if self._rows:
                session.connection().execute(insert(DatasetItem), self._rows)  # not as objects, which takes longer
