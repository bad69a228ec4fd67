"""Ingesting one dataset: claim, read every upload, label, finish."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from pouf_core.data.decoder import Decoder, DecoderLimits
from pouf_core.data.items import Item, fingerprint
from store.clock import utcnow
from store.database import retry_on_database_outage
from store.disk import is_disk_full, shortage
from store.leases import Lease, LeaseLost, claim_dataset, fenced, release
from store.queues import enqueue_ingestion
from store.storage_keys import dataset_key
from store.tables import Dataset, DatasetItem, Upload
from worker.ingestion.archives import ArchiveError, Found, archive_kind, kind_by_name, read_archive
from worker.ingestion.collector import Collector
from worker.ingestion.completion import fail_dataset, ready_dataset
from worker.ingestion.labels import assign_labels
from worker.ingestion.names import parse_name
from worker.ingestion.owner_limits import limits_of_dataset, too_many_items
from worker.ingestion.rows import ROWS_PER_ITEM, ItemRows, TooManyBytes, TooManyItems, TooManyRows
from worker.ingestion.texts import TextCollector, holds_texts
from worker.process_context import WorkerContext
from worker.shutdown import shutdown_requested

logger = logging.getLogger(__name__)

LOOSE_FILES = "loose files"
CONFLICTING_LABELS = "conflicting_labels"
LABEL_BATCH = 5000


class ShuttingDown(Exception):
    """The worker ends; the dataset is left to another one."""


class DatasetUnusable(Exception):
    """The dataset as a whole cannot be used; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def run_ingestion(
    context: WorkerContext, dataset_id: str, shutdown_requested: Callable[[], bool] = shutdown_requested
) -> None:
    """Ingest a dataset if it is this worker's to ingest; a duplicate delivery does nothing."""
    if shutdown_requested():
        return  # the reaper wakes another worker up
    lack = shortage(context.settings, context.storage)
    if lack is not None:
        logger.warning("Dataset %s waits: %s.", dataset_id, lack)
        return  # the reaper wakes a worker up later
    with context.database.write() as session:
        lease = claim_dataset(session, dataset_id, context.worker_id, utcnow(), context.settings.lease_seconds)
    if lease is None:
        logger.info("Dataset %s is not to be ingested now.", dataset_id)
        return
    try:
        _attempt(context, lease, shutdown_requested)
    except LeaseLost:
        logger.warning("Dataset %s was deleted or taken over by another worker; this ingestion ends.", dataset_id)
        _remove_if_deleted(context, dataset_id)
    context.publish()


def _attempt(context: WorkerContext, lease: Lease[Dataset], shutdown_requested: Callable[[], bool]) -> None:
    try:
        _ingest(context, lease, shutdown_requested)
    except ShuttingDown:
        with context.database.write() as session:
            release(session, lease)
            enqueue_ingestion(session, lease.row_id)
    except DatasetUnusable as error:
        with context.database.write() as session:
            fail_dataset(session, fenced(session, lease), error.code, error.message)
    except (OSError, DBAPIError) as error:
        if not is_disk_full(error):
            raise
        logger.exception("Dataset %s has no room here; the reaper wakes a worker up later.", lease.row_id)
        retry_on_database_outage(partial(_release, context, lease), context.settings.lease_seconds)


def _release(context: WorkerContext, lease: Lease[Dataset]) -> None:
    with context.database.write() as session:
        release(session, lease)


def _ingest(context: WorkerContext, lease: Lease[Dataset], shutdown_requested: Callable[[], bool]) -> None:
    with context.database.read() as session:
        dataset = session.get_one(Dataset, lease.row_id)
        query = select(Upload).where(Upload.dataset_id == lease.row_id)
        uploads = session.scalars(query.order_by(Upload.position, Upload.id)).all()
        limits = limits_of_dataset(session, dataset, context.settings)
    if dataset.modality == "text" or (dataset.modality == "auto" and holds_texts(uploads)):
        columns = {"text_column": dataset.text_column, "label_column": dataset.label_column}
        texts = TextCollector(context, lease, limits, **columns)
        _collect(texts, lambda: texts.collect(uploads, partial(_stop_if, shutdown_requested)))
        _finish(context, lease, texts, "text", texts.labels, text_pairs=bool(texts.are_pairs))
        return
    with Decoder(DecoderLimits(context.settings.decode_memory_bytes, context.settings.decode_cpu_seconds)) as decoder:
        pictures = Collector(context, lease, limits, decoder=decoder)
        _collect(pictures, lambda: _read_uploads(context, uploads, pictures, shutdown_requested))
    _finish(context, lease, pictures, "image", assign_labels(pictures.occurrences, pictures.tables))


def _collect(rows: ItemRows, read: Callable[[], None]) -> None:
    rows.begin()
    try:
        read()
    except TooManyItems as error:
        raise DatasetUnusable(*too_many_items(rows.limits, rows.context.settings)) from error
    except TooManyRows as error:
        limit = ROWS_PER_ITEM * rows.context.settings.max_items
        raise DatasetUnusable("too_many_entries", f"The uploads hold more than {limit:,} entries.") from error
    except TooManyBytes as error:
        raise DatasetUnusable("stored_bytes_limit", "Its owner may not store what the uploads unpack to.") from error
    finally:
        # Rows of unusable files tell why a dataset failed. Nothing can be told once the lease is lost.
        rows.flush()


def _read_uploads(
    context: WorkerContext, uploads: Sequence[Upload], collector: Collector, shutdown_requested: Callable[[], bool]
) -> None:
    for upload in uploads:
        _read_upload(context, upload, collector, shutdown_requested)


def _stop_if(shutdown_requested: Callable[[], bool]) -> None:
    if shutdown_requested():
        raise ShuttingDown


def _remove_if_deleted(context: WorkerContext, dataset_id: str) -> None:
    """Whoever deleted the dataset could not know of the pictures that were still being stored."""
    with context.database.read() as session:
        dataset = session.get(Dataset, dataset_id)
    if dataset is None or dataset.deleted_at is not None:
        context.storage.delete(dataset_key(dataset_id))


def _read_upload(
    context: WorkerContext, upload: Upload, collector: Collector, shutdown_requested: Callable[[], bool]
) -> None:
    name = parse_name(upload.filename)
    path = context.storage.local(upload.storage_key)
    with path.open("rb") as stream:
        kind = archive_kind(stream.read(512)) or kind_by_name(name)
    if kind is None:
        _read_loose_file(path, upload, collector)
    else:
        _read_packed_files(path, kind, upload, collector, shutdown_requested)
    _stop_if(shutdown_requested)


def _read_loose_file(path: Path, upload: Upload, collector: Collector) -> None:
    name = parse_name(upload.filename)
    if upload.size > collector.limits.item_bytes:
        message = f"The file is larger than {collector.limits.item_bytes:,} bytes."
        collector.reject(name, "item_too_large", message, upload.sha256, upload.size)
    else:
        collector.add_file(LOOSE_FILES, name, path.read_bytes(), stored_at=upload.storage_key)


def _read_packed_files(
    path: Path, kind: str, upload: Upload, collector: Collector, shutdown_requested: Callable[[], bool]
) -> None:
    try:
        for member in read_archive(path, kind, collector.limits):
            if isinstance(member, Found):
                collector.add_file(upload.id, member.name, member.data)
            else:
                collector.reject(member.name, member.code, member.message)
            _stop_if(shutdown_requested)
    except ArchiveError as error:
        collector.reject(parse_name(upload.filename), error.code, error.message, upload.sha256, upload.size)


def _finish(
    context: WorkerContext,
    lease: Lease[Dataset],
    collector: ItemRows,
    modality: str,
    labels: dict[str, set[str]],
    *,
    text_pairs: bool = False,
) -> None:
    with context.database.write() as session:
        dataset = fenced(session, lease)
        dataset.item_count = len(collector.accepted)
        dataset.duplicate_count = collector.duplicates
        dataset.rejected_count = collector.rejected
        if not collector.accepted:
            kind = {"image": "picture", "text": "file of texts"}[modality]
            message = f"None of the uploaded files is a usable {kind}; the rejected items say why."
            fail_dataset(session, dataset, "no_usable_items", message)
            return
        dataset.modality = modality
        dataset.text_pairs = text_pairs
        dataset.fingerprint = fingerprint([Item(sha256, Path()) for sha256 in collector.accepted])
        dataset.labelled_count = sum(len(found) == 1 for found in labels.values())
        dataset.suggested_class_names = sorted(set().union(*labels.values()))
        _write_labels(session, dataset, labels)
        ready_dataset(session, dataset)


def _write_labels(session: Session, dataset: Dataset, labels: dict[str, set[str]]) -> None:
    """Label the accepted items; an item with two labels keeps none and says so in its code."""
    query = select(DatasetItem.id, DatasetItem.sha256).where(
        DatasetItem.dataset_id == dataset.id, DatasetItem.status == "accepted"
    )
    changes = []
    for item_id, sha256 in session.execute(query):
        found = labels.get(sha256 or "", set())
        if len(found) == 1:
            changes.append({"id": item_id, "label": min(found), "code": None, "message": None})
        elif found:
            message = "Labels contradict each other and are not used: " + ", ".join(sorted(found))
            changes.append({"id": item_id, "label": None, "code": CONFLICTING_LABELS, "message": message})
    for start in range(0, len(changes), LABEL_BATCH):
        session.execute(update(DatasetItem), changes[start : start + LABEL_BATCH])
