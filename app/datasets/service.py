"""Datasets: created from uploads, added to, finalized, deleted."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.orm import Session

from app.auth import quotas
from app.caller import Caller
from app.datasets import queries as repository
from app.datasets.schemas import (
    FINAL_DATASET_STATUSES,
    DatasetDocument,
    DatasetFileDocument,
    DatasetForm,
    DatasetItemDocument,
    DatasetListQuery,
    DatasetSummaryDocument,
    ItemListQuery,
    show_dataset,
    show_dataset_summary,
    show_item,
    show_upload,
)
from app.http.errors import conflict, invalid, not_found
from app.http.query_parameters import NumbersQuery, decode_cursor, decode_number, page
from app.http.received_files import StagedFile
from app.http.schemas import ListDocument
from store import feature_files
from store.clock import utcnow
from store.ids import new_id
from store.outages import is_database_outage
from store.queues import enqueue_ingestion
from store.reserve import freeing
from store.retention import forget_audits, forget_predictions
from store.row_removal import forget_rows
from store.scope import Scope
from store.storage import Storage
from store.storage_keys import dataset_key, upload_key
from store.tables import Audit, Dataset, DatasetItem, Upload
from store.usage import BYTES_BESIDE, BYTES_OF_UPLOAD

logger = logging.getLogger(__name__)

STORING_THREADS = 16

OnCreated = Callable[[Session, DatasetDocument], None]


def check_form(form: DatasetForm, files: Sequence[StagedFile]) -> None:
    """Raise 422 ``no_files`` before anything is stored."""
    if form.finalize and not files:
        raise _no_files()


def create(caller: Caller, form: DatasetForm, files: Sequence[StagedFile], on_created: OnCreated) -> DatasetDocument:
    """Create a dataset with its files, all or nothing, and start ingesting it if it is final."""
    dataset = Dataset(
        id=new_id("ds"),
        owner=caller.owner,
        name=form.name,
        modality=form.modality,
        text_column=form.text_column,
        label_column=form.label_column,
        labels=form.labels,
        text_options=form.text_options.model_dump(),
        status="uploading",
        meta=form.metadata,
    )
    try:
        uploads = _store(caller.state.storage, dataset.id, files, set())
        with caller.state.database.write() as session:
            scope = caller.scope(session)
            quotas.require_room_for_files(caller.limits, scope, _size(uploads))
            quotas.require_room_in_database(caller.limits, scope, BYTES_BESIDE + BYTES_OF_UPLOAD * len(uploads))
            session.add(dataset)
            session.flush()
            repository.add_uploads(scope, dataset.id, uploads)
            if form.finalize:
                begin_ingestion(caller, session, dataset)
            document = show(scope, dataset)
            on_created(session, document)
    except BaseException as error:
        # a database that fell silent may have committed: then the files are the dataset's, else housekeeping's
        if not is_database_outage(error):
            caller.state.storage.discard(dataset_key(dataset.id))
        raise
    caller.state.publisher.wake()
    return document


def add_files(
    caller: Caller, dataset_id: str, files: Sequence[StagedFile], on_added: OnCreated = lambda session, document: None
) -> DatasetDocument:
    """Add files to a dataset that is still uploading; those it has already (same content and name) change nothing.

    Raises 422 ``no_files``, 404 ``dataset_not_found``, 409 ``dataset_not_uploading``, 429 as of
    `require_room_for_files` and `require_room_in_database`, or `StorageUnavailable`.
    """
    if not files:
        raise _no_files()
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        require_uploading(get(scope, dataset_id))
        known = repository.known_uploads(scope, dataset_id, (file.sha256 for file in files))
        fresh = [file for file in files if (file.sha256, file.filename) not in known]
        quotas.require_room_for_files(caller.limits, scope, _size(fresh))
    uploads = _store(caller.state.storage, dataset_id, files, known)
    with caller.state.database.write() as session:
        scope = caller.scope(session)
        quotas.require_room_for_files(caller.limits, scope, _size(uploads))
        quotas.require_room_in_database(caller.limits, scope, BYTES_OF_UPLOAD * len(uploads))
        dataset = scope.get(Dataset, dataset_id, lock=True)
        if dataset is None:
            # deleted by another request: nothing else would remove what was just stored
            caller.state.storage.discard(dataset_key(dataset_id))
            raise not_found("dataset", dataset_id)
        require_uploading(dataset)
        repository.add_uploads(scope, dataset.id, uploads)
        dataset.updated_at = utcnow()
        document = show(scope, dataset)
        on_added(session, document)
    return document


def finalize(caller: Caller, dataset_id: str) -> DatasetDocument:
    """Start ingesting; a dataset that was finalized before stays as it is.

    Raises 404 ``dataset_not_found``, or 422 ``no_files``.
    """
    with caller.state.database.write() as session:
        scope = caller.scope(session)
        dataset = get(scope, dataset_id, lock=True)
        if dataset.status == "uploading":
            if repository.next_position(scope, dataset_id) == 1:
                raise _no_files()
            begin_ingestion(caller, session, dataset)
        document = show(scope, dataset)
    caller.state.publisher.wake()
    return document


def delete(caller: Caller, dataset_id: str) -> None:
    """Delete the dataset, its uploads, predictions and audits.

    Raises 409 ``dataset_in_use`` while unfinished jobs need it.
    """
    with freeing(caller.state.database) as session:
        scope = caller.scope(session)
        dataset = get(scope, dataset_id, lock=True)
        jobs = repository.unfinished_job_ids(scope, dataset_id)
        if jobs:
            raise conflict("dataset_in_use", f"Unfinished jobs need this dataset: {', '.join(jobs[:5])}.", retry=True)
        dataset.deleted_at = utcnow()
        # which show some of what was uploaded
        dataset.readings = dataset.rejections = dataset.candidates = dataset.warnings = dataset.label_source = None
        if dataset.status == "ingesting":
            dataset.status = "failed"
            dataset.error_code, dataset.error_message = "dataset_deleted", "The dataset was deleted."
        # a worker that is ingesting it finds its fence outdated
        dataset.fence += 1
        dataset.lease_owner = dataset.lease_expires_at = None
        forget_audits(session, Audit.dataset_id == dataset_id)
        predictions = forget_predictions(session, dataset_id)
    for key in (dataset_key(dataset_id), *predictions):
        caller.state.storage.discard(key)
    feature_files.forget_owner(caller.state.settings.feature_dir, caller.owner)
    _forget_rows(caller, dataset_id)


def _forget_rows(caller: Caller, dataset_id: str) -> None:
    """Delete the rows of what it held, or in an outage leave them to housekeeping: the dataset is gone all the same."""
    try:
        for table in (Upload, DatasetItem):
            forget_rows(caller.state.database.write, table, table.dataset_id == dataset_id)
    except Exception as error:
        if not is_database_outage(error):
            raise
        logger.warning("Rows of the deleted dataset %s are left to housekeeping: %s", dataset_id, error)


def get(scope: Scope, dataset_id: str, *, lock: bool = False) -> Dataset:
    """Return the dataset; raises 404 ``dataset_not_found``."""
    dataset = scope.get(Dataset, dataset_id, lock=lock)
    if dataset is None:
        raise not_found("dataset", dataset_id)
    return dataset


def is_final(document: DatasetDocument) -> bool:
    """Tell whether the dataset of that document is ready or failed."""
    return document.status in FINAL_DATASET_STATUSES


def list_datasets(caller: Caller, query: DatasetListQuery) -> ListDocument[DatasetSummaryDocument]:
    """Return a page of datasets, newest first."""
    filters = query.filters(decode_cursor(query.cursor), query.status)
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        rows = repository.list_datasets(scope, filters, query.limit + 1)
        totals = repository.upload_totals(scope, [row.id for row in rows])
    return page(
        rows, query.limit, lambda row: show_dataset_summary(row, totals.get(row.id, (0, 0))), lambda row: row.id
    )


def list_files(caller: Caller, dataset_id: str, query: NumbersQuery) -> ListDocument[DatasetFileDocument]:
    """Return a page of what was uploaded, in order; raises 404 ``dataset_not_found``."""
    after = decode_number(query.cursor) or 0
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        get(scope, dataset_id)
        rows = repository.list_uploads(scope, dataset_id, after, query.limit + 1)
    return page(rows, query.limit, show_upload, lambda row: row.position)


def list_items(caller: Caller, dataset_id: str, query: ItemListQuery) -> ListDocument[DatasetItemDocument]:
    """Return a page of what ingestion found; raises 404 ``dataset_not_found``."""
    after = decode_number(query.cursor) or 0
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        get(scope, dataset_id)
        rows = repository.list_items(scope, dataset_id, query.status, after, query.limit + 1)
    return page(rows, query.limit, show_item, lambda row: row.id)


def show(scope: Scope, dataset: Dataset) -> DatasetDocument:
    """Return the dataset's document."""
    return show_dataset(dataset, repository.upload_totals(scope, [dataset.id]).get(dataset.id, (0, 0)))


def read(caller: Caller, dataset_id: str) -> DatasetDocument:
    """Return the document as it is now; raises 404 ``dataset_not_found``."""
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        return show(scope, get(scope, dataset_id))


def require_uploading(dataset: Dataset) -> None:
    """Raise 409 ``dataset_not_uploading``: what was finalized takes no more files."""
    if dataset.status != "uploading":
        message = f"The dataset is {dataset.status} and takes no more files; create another one."
        raise conflict("dataset_not_uploading", message)


def check_uploading(caller: Caller, dataset_id: str) -> None:
    """Raise 404 ``dataset_not_found`` or 409 ``dataset_not_uploading`` before anything is received."""
    with caller.state.database.read() as session:
        require_uploading(get(caller.scope(session), dataset_id))


def require_room(caller: Caller) -> None:
    """Raise 429 ``stored_bytes_limit`` or ``items_limit`` when nothing more may be uploaded."""
    with caller.state.database.read() as session:
        quotas.require_room_for_files(caller.limits, caller.scope(session))


def begin_ingestion(caller: Caller, session: Session, dataset: Dataset) -> None:
    """Let a worker read what was uploaded, once the transaction has committed."""
    dataset.status = "ingesting"
    dataset.owner_limits = quotas.left_to_ingestion(caller.limits)
    dataset.updated_at = utcnow()
    enqueue_ingestion(session, dataset.id)


def _store(storage: Storage, dataset_id: str, files: Sequence[StagedFile], known: set[tuple[str, str]]) -> list[Upload]:
    """Put what is new into the storage, under its hash, and return its rows."""
    stored = {sha256 for sha256, _ in known}
    contents = {upload_key(dataset_id, file.sha256): file.path for file in files if file.sha256 not in stored}
    # writing waits for the disk, once a file
    with ThreadPoolExecutor(STORING_THREADS) as pool:
        list(pool.map(lambda item: storage.put_file(*item, move=True), contents.items()))
    fresh = {(file.sha256, file.filename): file for file in files}
    return [_upload(dataset_id, file) for identity, file in fresh.items() if identity not in known]


def _size(files: Sequence[Upload | StagedFile]) -> int:
    return sum(file.size for file in files)


def _upload(dataset_id: str, file: StagedFile) -> Upload:
    return Upload(
        id=new_id("up"),
        dataset_id=dataset_id,
        filename=file.filename,
        storage_key=upload_key(dataset_id, file.sha256),
        size=file.size,
        sha256=file.sha256,
    )


def _no_files() -> Exception:
    return invalid(
        "no_files", "Send at least one picture, file of texts or embeddings, or archive in `files`.", "/files"
    )
