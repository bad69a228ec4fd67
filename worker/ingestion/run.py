"""Ingesting one dataset: claim, read every upload, label, finish."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from pouf_core.contract.base_model import Modality
from pouf_core.contract.file_reading import TextFileOptions
from pouf_core.data.limited_process import ReaderUnavailable
from pouf_core.data.text_files import TextOptions
from pouf_core.data.uploads.collector import Collector
from pouf_core.data.uploads.collectors import collector_of, modality_of_uploads
from pouf_core.data.uploads.keeper import TooManyBytes, TooManyItems, TooManyRows, Uploaded
from pouf_core.data.uploads.limits import UploadLimits
from store.disk import is_disk_full
from store.leases import Lease, LeaseLost, claim_dataset, database_now, fenced, release
from store.outages import is_outage, patiently
from store.queues import enqueue_ingestion
from store.storage_keys import dataset_key
from store.tables import Dataset, Upload
from worker.ingestion.completion import fail_dataset, finish_ingestion, write_labels
from worker.ingestion.item_rows import ItemRows
from worker.ingestion.turns import Turn, TurnOver, has_turn
from worker.ingestion.upload_limits import limits_of_dataset
from worker.lease_keeper import LeaseKeeper
from worker.process_context import WorkerContext, lack_of_space
from worker.shutdown import ShuttingDown, shutdown_requested

logger = logging.getLogger(__name__)

#: Entries that are written at a time; texts and vectors are short and many.
FLUSH_ROWS: dict[Modality, int] = {"image": 500, "text": 5000, "embedding": 5000}
INGESTION_FAILED = (
    "ingestion_failed",
    "The uploads could not be ingested, because of what they hold. Leave files out, to find the one that it is, and "
    "tell the operator, whose log has details.",
)
NOTHING_READABLE = (
    "reader_unavailable",
    "The service could not read any file, and none of yours is the cause. Tell the operator, whose log has details, "
    "and upload again.",
)


class DatasetUnusable(Exception):
    """The dataset as a whole cannot be used; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def run_ingestion(
    context: WorkerContext,
    dataset_id: str,
    shutdown_requested: Callable[[], bool] = shutdown_requested,
    processes: int = 1,
) -> None:
    """Ingest a dataset if it is its turn; a duplicate delivery does nothing.

    Args:
        context: of this process.
        dataset_id: which.
        shutdown_requested: whether the process is to end.
        processes: how many ingest on this worker.
    """
    if shutdown_requested():
        return  # the reaper wakes another worker up
    lack = lack_of_space(context)
    if lack is not None:
        logger.warning("Dataset %s waits: %s.", dataset_id, lack)
        return  # the reaper wakes a worker up later
    with context.database.write() as session:
        lease = None
        if has_turn(session, dataset_id, processes):
            now = database_now(session)
            lease = claim_dataset(session, dataset_id, context.worker_id, now, context.settings.lease_seconds)
    if lease is None:
        logger.info("Dataset %s is not to be ingested now.", dataset_id)
        return
    try:
        with LeaseKeeper(context.database, lease, context.settings) as keeper:
            turn = Turn(context.database, keeper, lease, processes)
            _attempt(context, keeper, lease, turn, shutdown_requested)
    except LeaseLost:
        logger.warning("Dataset %s was deleted or taken over by another worker; this ingestion ends.", dataset_id)
        _remove_if_deleted(context, dataset_id)
    context.publish()


def _attempt(
    context: WorkerContext,
    keeper: LeaseKeeper[Dataset],
    lease: Lease[Dataset],
    turn: Turn,
    shutdown_requested: Callable[[], bool],
) -> None:
    def check() -> None:
        keeper.check()
        if shutdown_requested():
            raise ShuttingDown
        turn.check()

    end: Callable[[Session], object]
    patient = replace(context, storage=context.storage.patient(check))
    try:
        with context.storage.in_use(dataset_key(lease.row_id)):
            _ingest(patient, keeper, lease, check)
        return
    except ShuttingDown:
        end = partial(_give_back, lease)
    except TurnOver:
        logger.info("Dataset %s takes long and begins anew later, so that others need not wait.", lease.row_id)
        end = partial(_give_back, lease)
    except DatasetUnusable as error:
        end = partial(_fail, lease, error.code, error.message)
    except LeaseLost:
        raise
    except Exception as error:
        if is_disk_full(error) or is_outage(error):
            logger.exception("Dataset %s cannot be ingested now; the reaper wakes a worker up later.", lease.row_id)
            end = partial(release, lease=lease)
        else:
            logger.exception("Dataset %s cannot be ingested.", lease.row_id)
            reason = NOTHING_READABLE if isinstance(error, ReaderUnavailable) else INGESTION_FAILED
            end = partial(_fail, lease, *reason)
    patiently(partial(_write, context, end), keeper.check)


def _write(context: WorkerContext, change: Callable[[Session], object]) -> None:
    with context.database.write() as session:
        change(session)


def _give_back(lease: Lease[Dataset], session: Session) -> None:
    release(session, lease)
    enqueue_ingestion(session, lease.row_id)


def _fail(lease: Lease[Dataset], code: str, message: str, session: Session) -> None:
    fail_dataset(session, fenced(session, lease), code, message)


def _ingest(
    context: WorkerContext, keeper: LeaseKeeper[Dataset], lease: Lease[Dataset], check: Callable[[], None]
) -> None:
    settings = context.settings
    with context.database.read() as session:
        dataset = session.get_one(Dataset, lease.row_id)
        query = select(Upload).where(Upload.dataset_id == lease.row_id)
        uploads = [_uploaded(upload) for upload in session.scalars(query.order_by(Upload.position, Upload.id))]
        limits = limits_of_dataset(session, dataset, settings)
    long_step = partial(keeper.long_step, settings.load_timeout)
    modality = modality_of_uploads(
        dataset.modality, uploads, lambda upload: context.storage.local(upload.key), limits, check
    )
    rows = ItemRows(context, lease, check, long_step, FLUSH_ROWS[modality])
    with collector_of(modality, rows, limits, _text_options(dataset), dataset.labels) as collector:
        _collect(rows, collector, uploads, UploadLimits.of(settings))
    with long_step():
        labelling = collector.labelling()
        patiently(partial(write_labels, context.database, lease, collector.unwritten(labelling)), check)

    def finish(session: Session) -> None:
        finish_ingestion(session, fenced(session, lease), collector, labelling)

    with long_step():
        patiently(partial(_write, context, finish), check)


def _text_options(dataset: Dataset) -> TextOptions:
    said = TextFileOptions.model_validate(dataset.text_options or {})
    return TextOptions.of(dataset.text_column, dataset.label_column, said)


def _uploaded(upload: Upload) -> Uploaded:
    return Uploaded(upload.id, upload.filename, upload.storage_key, upload.size, upload.sha256)


def _collect(rows: ItemRows, collector: Collector, uploads: Sequence[Uploaded], of_operator: UploadLimits) -> None:
    rows.begin()
    try:
        collector.collect(uploads)
    except TooManyItems as error:
        raise _too_many_items(collector.limits.items, of_operator.items) from error
    except TooManyRows as error:
        raise _too_many_rows(collector.limits.rows, of_operator.rows) from error
    except TooManyBytes as error:
        raise DatasetUnusable("stored_bytes_limit", "Its owner may not store what the uploads unpack to.") from error
    finally:
        # Rows of unusable files tell why a dataset failed. Nothing can be told once the lease is lost.
        rows.flush()


def _too_many_items(limit: int, operator_limit: int) -> DatasetUnusable:
    if limit == operator_limit:
        return DatasetUnusable("too_many_items", f"A dataset may hold at most {limit:,} items.")
    return DatasetUnusable(
        "items_limit", f"The owner of this dataset may have {limit:,} more items, and it holds more."
    )


def _too_many_rows(limit: int, operator_limit: int) -> DatasetUnusable:
    if limit == operator_limit:
        return DatasetUnusable("too_many_entries", f"The uploads hold more than {limit:,} entries.")
    message = (
        f"The owner of this dataset has room for {limit:,} more entries in the database, duplicates and rejected ones "
        "among them, and it holds more."
    )
    return DatasetUnusable("database_bytes_limit", message)


def _remove_if_deleted(context: WorkerContext, dataset_id: str) -> None:
    """Whoever deleted the dataset could not know of the pictures that were still being stored."""
    with context.database.read() as session:
        dataset = session.get(Dataset, dataset_id)
    if dataset is None or dataset.deleted_at is not None:
        context.storage.delete(dataset_key(dataset_id))
