"""Ingesting one dataset: claim, read every upload, label, finish."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from pouf_core.contract.dataset_items import modality_of
from pouf_core.data.decoder import Decoder, DecoderLimits
from store.clock import utcnow
from store.database import retry_on_database_outage
from store.disk import is_disk_full, shortage
from store.leases import Lease, LeaseLost, claim_dataset, fenced, release
from store.queues import enqueue_ingestion
from store.storage_keys import dataset_key
from store.tables import Dataset, Upload
from worker.ingestion.collector import Collector
from worker.ingestion.completion import fail_dataset, finish_ingestion
from worker.ingestion.embeddings import EmbeddingCollector
from worker.ingestion.item_names import parse_name
from worker.ingestion.item_rows import ROWS_PER_ITEM, TooManyBytes, TooManyItems, TooManyRows
from worker.ingestion.pictures import PictureCollector
from worker.ingestion.texts import TextCollector
from worker.ingestion.upload_limits import UploadLimits
from worker.process_context import WorkerContext
from worker.shutdown import shutdown_requested

logger = logging.getLogger(__name__)


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
    settings = context.settings
    with context.database.read() as session:
        dataset = session.get_one(Dataset, lease.row_id)
        query = select(Upload).where(Upload.dataset_id == lease.row_id)
        uploads = session.scalars(query.order_by(Upload.position, Upload.id)).all()
        limits = UploadLimits.of_dataset(session, dataset, settings)
    with Decoder(DecoderLimits(settings.decode_memory_bytes, settings.decode_cpu_seconds)) as decoder:
        collector: Collector
        modality = modality_of(dataset.modality, [parse_name(upload.filename).file_name for upload in uploads])
        if modality == "embedding":
            collector = EmbeddingCollector(context, lease, limits)
        elif modality == "text":
            collector = TextCollector(
                context, lease, limits, text_column=dataset.text_column, label_column=dataset.label_column
            )
        else:
            collector = PictureCollector(context, lease, limits, decoder=decoder)
        _collect(collector, uploads, partial(_stop_if, shutdown_requested))
    with context.database.write() as session:
        finish_ingestion(session, fenced(session, lease), collector)


def _collect(collector: Collector, uploads: Sequence[Upload], check: Callable[[], None]) -> None:
    settings = collector.context.settings
    collector.begin()
    try:
        collector.collect(uploads, check)
    except TooManyItems as error:
        raise _too_many_items(collector.limits.items, settings.max_items) from error
    except TooManyRows as error:
        limit = ROWS_PER_ITEM * settings.max_items
        raise DatasetUnusable("too_many_entries", f"The uploads hold more than {limit:,} entries.") from error
    except TooManyBytes as error:
        raise DatasetUnusable("stored_bytes_limit", "Its owner may not store what the uploads unpack to.") from error
    finally:
        # Rows of unusable files tell why a dataset failed. Nothing can be told once the lease is lost.
        collector.flush()


def _too_many_items(limit: int, operator_limit: int) -> DatasetUnusable:
    if limit == operator_limit:
        return DatasetUnusable("too_many_items", f"A dataset may hold at most {limit:,} items.")
    return DatasetUnusable(
        "items_limit", f"The owner of this dataset may have {limit:,} more items, and it holds more."
    )


def _stop_if(shutdown_requested: Callable[[], bool]) -> None:
    if shutdown_requested():
        raise ShuttingDown


def _remove_if_deleted(context: WorkerContext, dataset_id: str) -> None:
    """Whoever deleted the dataset could not know of the pictures that were still being stored."""
    with context.database.read() as session:
        dataset = session.get(Dataset, dataset_id)
    if dataset is None or dataset.deleted_at is not None:
        context.storage.delete(dataset_key(dataset_id))
