"""What is old goes: events and numbers of finished jobs, datasets never finished, what was deleted, and sign-ins."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, exists, func, select
from sqlalchemy.orm import Session

from store.database import Database
from store.export_bytes import count_exports
from store.job_counts import count_change
from store.reserve import give_reserve_back
from store.row_removal import forget_rows
from store.settings import Settings
from store.storage import Storage
from store.storage_keys import EXPORTS, dataset_key, export_key, exports_key
from store.tables import (
    AdaptedModel,
    Alias,
    Audit,
    AuditAnswer,
    AuditItem,
    BatchPrediction,
    Dataset,
    DatasetItem,
    Job,
    JobEvent,
    JobMetric,
    Upload,
    Webhook,
    WebhookDelivery,
    WebSession,
)
from store.tables.base import Base
from store.transitions import FINAL


def prune(
    database: Database, storage: Storage, settings: Settings, now: datetime, *, remove: bool = True
) -> dict[str, int]:
    """Remove what the settings say is too old, a little at a time; returns how many of each kind.

    Args:
        database: of the service.
        storage: where its files are.
        settings: how long what is kept.
        now: the time.
        remove: whether to remove; else it is counted only.
    """

    def before(days: float) -> datetime:
        return now - timedelta(days=days)

    if remove:
        give_reserve_back(database)
    deleted = before(settings.keep_deleted_days)
    return {
        "events": _of_final_jobs(database, JobEvent, before(settings.keep_events_days), remove),
        "metrics": _of_final_jobs(database, JobMetric, before(settings.keep_metrics_days), remove),
        "unfinished datasets": _unfinished(database, storage, before(settings.keep_unfinished_days), now, remove),
        "deleted models": _deleted_models(database, deleted, remove),
        "deleted datasets": _deleted_datasets(database, deleted, remove),
        "deleted webhooks": _deleted_webhooks(database, deleted, remove),
        "exports": _exports(database, storage, before(settings.keep_exports_days), remove),
        "expired sign-ins": _rows(database, WebSession, (WebSession.expires_at <= now,), remove),
    }


def forget_job(session: Session, job: Job) -> None:
    """Remove a finished job's row, events, numbers and audits; its model, if any, stays."""
    forget_audits(session, Audit.job_id == job.id)
    for table in (JobEvent, JobMetric):
        session.execute(delete(table).where(table.job_id == job.id))
    count_change(session, job.owner, job.status, None)
    session.delete(job)


def forget_audits(session: Session, which: ColumnElement[bool]) -> None:
    """Remove audits with the items that they drew and the answers of people."""
    ids = select(Audit.id).where(which)
    for table in (AuditAnswer, AuditItem):
        session.execute(delete(table).where(table.audit_id.in_(ids)))
    session.execute(delete(Audit).where(which))


def forget_predictions(session: Session, dataset_id: str) -> list[str]:
    """Let no row name predictions of a dataset any more; returns the storage keys to be deleted."""
    jobs = select(Job).where(Job.dataset_id == dataset_id, Job.predictions_key.is_not(None))
    batches = select(BatchPrediction).where(
        BatchPrediction.dataset_id == dataset_id, BatchPrediction.predictions_key.is_not(None)
    )
    rows = [*session.scalars(jobs.with_for_update()), *session.scalars(batches.with_for_update())]
    keys = [str(row.predictions_key) for row in rows]
    for row in rows:
        row.predictions_key, row.predictions_bytes = None, 0
    return keys


def _of_final_jobs(database: Database, table: type[JobEvent | JobMetric], before: datetime, remove: bool) -> int:
    """Of jobs that are not final nothing is removed, however old it is."""
    old = (table.created_at < before, table.job_id.in_(select(Job.id).where(Job.status.in_(FINAL))))
    return _rows(database, table, old, remove)


def _unfinished(database: Database, storage: Storage, before: datetime, now: datetime, remove: bool) -> int:
    abandoned = (Dataset.status == "uploading", Dataset.updated_at < before, Dataset.deleted_at.is_(None))
    if not remove:
        return _rows(database, Dataset, abandoned, remove=False)
    with database.read() as session:
        ids = session.scalars(select(Dataset.id).where(*abandoned)).all()
    count = 0
    for dataset_id in ids:
        with database.write() as session:
            query = select(Dataset).where(Dataset.id == dataset_id, *abandoned).with_for_update()
            dataset = session.scalars(query).one_or_none()
            if dataset is None:  # somebody went on with it
                continue
            dataset.deleted_at = now
        storage.delete(dataset_key(dataset_id))
        count += 1
    return count


def _deleted_models(database: Database, before: datetime, remove: bool) -> int:
    gone = (AdaptedModel.deleted_at < before, ~exists().where(Alias.model_id == AdaptedModel.id))
    return _rows(database, AdaptedModel, gone, remove)


def _deleted_datasets(database: Database, before: datetime, remove: bool) -> int:
    """Those that jobs and batch predictions name stay as long as these; what they held goes at once."""
    named = (
        Job.dataset_id == Dataset.id,
        Job.class_features_dataset_id == Dataset.id,
        BatchPrediction.dataset_id == Dataset.id,
    )
    gone = (Dataset.deleted_at < before, *(~exists().where(each) for each in named))
    if remove:
        _forget_rows_of_deleted(database, Upload)
        _forget_rows_of_deleted(database, DatasetItem)
    return _rows(database, Dataset, gone, remove)


def _forget_rows_of_deleted(database: Database, table: type[Upload] | type[DatasetItem]) -> None:
    left = exists().where(table.dataset_id == Dataset.id)
    with database.read() as session:
        ids = session.scalars(select(Dataset.id).where(Dataset.deleted_at.is_not(None), left)).all()
    for dataset_id in ids:
        forget_rows(database.write, table, table.dataset_id == dataset_id)


def _deleted_webhooks(database: Database, before: datetime, remove: bool) -> int:
    gone = (Webhook.deleted_at < before, ~exists().where(WebhookDelivery.webhook_id == Webhook.id))
    return _rows(database, Webhook, gone, remove)


def _rows(database: Database, table: type[Base], gone: Sequence[ColumnElement[bool]], remove: bool) -> int:
    """How many rows are gone; with `remove` they are deleted."""
    if remove:
        return forget_rows(database.write, table, *gone)
    with database.read() as session:
        return session.scalars(select(func.count()).select_from(table).where(*gone)).one()


def _exports(database: Database, storage: Storage, before: datetime, remove: bool) -> int:
    """Exports of models, of deleted ones too, and what was left of unfinished ones."""
    count = 0
    for model_id in storage.names(EXPORTS):
        if remove and _is_uncounted(database, model_id):
            count_exports(database, storage, model_id)
        names = storage.names(exports_key(model_id))
        old = [name for name in names if _stored_before(storage, export_key(model_id, name), before)]
        for name in old if remove else []:
            storage.delete(export_key(model_id, name))
        if remove and old:
            count_exports(database, storage, model_id)
        if remove and not storage.names(exports_key(model_id)):
            storage.delete(exports_key(model_id))
        count += len(old)
    return count


def _is_uncounted(database: Database, model_id: str) -> bool:
    """Whether exports were stored by a version that noted no sizes."""
    with database.read() as session:
        return session.scalar(select(AdaptedModel.exports_bytes).where(AdaptedModel.id == model_id)) == 0


def _stored_before(storage: Storage, key: str, before: datetime) -> bool:
    return all(file.stored_at < before.timestamp() for file in storage.files(key))
