"""Queries about datasets, their uploads and their items."""

from collections.abc import Iterable, Sequence

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import defer

from store.job_datasets import needs
from store.scope import Filters, Scope, newest_first
from store.tables import BatchPrediction, Dataset, DatasetItem, Job, Upload
from store.transitions import FINAL


def list_datasets(scope: Scope, filters: Filters, limit: int) -> Sequence[Dataset]:
    """Return the owner's datasets, newest first, for summaries."""
    query = newest_first(scope.select(Dataset), Dataset, filters, limit)
    return scope.session.scalars(query.options(defer(Dataset.suggested_class_names, raiseload=True))).all()


def list_uploads(scope: Scope, dataset_id: str, after: int, limit: int) -> Sequence[Upload]:
    """Return uploads in the order in which they came, from position `after` (exclusive)."""
    query = select(Upload).where(Upload.dataset_id == dataset_id, Upload.position > after)
    return scope.session.scalars(query.order_by(Upload.position).limit(limit)).all()


def list_items(scope: Scope, dataset_id: str, status: str | None, after: int, limit: int) -> Sequence[DatasetItem]:
    """Return items in ingestion order, from id `after` (exclusive)."""
    query = select(DatasetItem).where(DatasetItem.dataset_id == dataset_id, DatasetItem.id > after)
    if status is not None:
        query = query.where(DatasetItem.status == status)
    return scope.session.scalars(query.order_by(DatasetItem.id).limit(limit)).all()


def key_of_upload(scope: Scope, dataset_id: str, sha256: str) -> str | None:
    """Return where an uploaded file of that content is stored."""
    query = select(Upload.storage_key).where(Upload.dataset_id == dataset_id, Upload.sha256 == sha256)
    return scope.session.scalars(query.limit(1)).one_or_none()


def upload_totals(scope: Scope, dataset_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return (number, bytes) of uploads by dataset id."""
    query = (
        select(Upload.dataset_id, func.count(), func.coalesce(func.sum(Upload.size), 0))
        .where(Upload.dataset_id.in_(dataset_ids))
        .group_by(Upload.dataset_id)
    )
    return {dataset_id: (int(count), int(size)) for dataset_id, count, size in scope.session.execute(query)}


def known_uploads(scope: Scope, dataset_id: str, hashes: Iterable[str]) -> set[tuple[str, str]]:
    """Return (sha256, filename) of what was uploaded already, of files with these hashes."""
    query = select(Upload.sha256, Upload.filename)
    query = query.where(Upload.dataset_id == dataset_id, Upload.sha256.in_(set(hashes)))
    return {(sha256, filename) for sha256, filename in scope.session.execute(query)}


def next_position(scope: Scope, dataset_id: str) -> int:
    """Return the position of the dataset's next upload, from 1."""
    query = select(func.coalesce(func.max(Upload.position), 0)).where(Upload.dataset_id == dataset_id)
    return scope.session.scalars(query).one() + 1


def add_uploads(scope: Scope, dataset_id: str, uploads: Sequence[Upload]) -> None:
    """Insert, in order, the uploads that no concurrent request inserted first."""
    known = known_uploads(scope, dataset_id, (upload.sha256 for upload in uploads))
    position = next_position(scope, dataset_id)
    for upload in uploads:
        if (upload.sha256, upload.filename) not in known:
            upload.position = position
            scope.session.add(upload)
            position += 1
    scope.session.flush()


def unfinished_job_ids(scope: Scope, dataset_id: str) -> Sequence[str]:
    """Return the ids of jobs and batch predictions that still need the dataset."""
    jobs = select(Job.id).where(needs(dataset_id), Job.status.not_in(FINAL))
    batches = select(BatchPrediction.id).where(
        BatchPrediction.dataset_id == dataset_id, BatchPrediction.status.not_in(FINAL)
    )
    return [*scope.session.scalars(jobs), *scope.session.scalars(batches)]


def was_used(scope: Scope, dataset_id: str) -> bool:
    """Tell whether there is a job or a batch prediction, finished or not, of the dataset as it was read."""
    used = or_(
        exists().where(needs(dataset_id)),
        exists().where(BatchPrediction.dataset_id == dataset_id),
    )
    return bool(scope.session.scalar(select(used)))
