"""How much an owner has, for limits to be compared with."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Select, func, select

from store.scope import Scope
from store.tables import AdaptedModel, Audit, AuditAnswer, BatchPrediction, Dataset, Job, Upload
from store.transitions import UNFINISHED

#: What a job has beside its documents, roughly: rows of events and numbers, and what indexes take. A batch prediction
#: has no documents.
BYTES_BESIDE = 8 * 1024
BYTES_OF_AUDIT_ITEM = 1024
BYTES_OF_AUDIT_ANSWER = 512


def stored_bytes(scope: Scope) -> int:
    """Return the bytes of the owner's uploads, extracted items, models and predictions."""
    uploads = select(func.sum(Upload.size)).join(Dataset, Dataset.id == Upload.dataset_id)
    extracted = select(func.sum(Dataset.extracted_bytes))
    models = select(func.sum(AdaptedModel.size_bytes)).where(
        AdaptedModel.owner == scope.owner, AdaptedModel.deleted_at.is_(None)
    )
    predictions = [
        select(func.sum(table.predictions_bytes)).where(table.owner == scope.owner) for table in (Job, BatchPrediction)
    ]
    of_datasets = (_of_datasets(uploads, scope), _of_datasets(extracted, scope))
    return sum(_number(scope, query) for query in (*of_datasets, models, *predictions))


def database_bytes(scope: Scope) -> int:
    """Return about how many bytes the owner's jobs, models, batch predictions and audits take in the database:
    documents, events, numbers and answers.
    """
    answers = select(func.count(AuditAnswer.id)).join(Audit, Audit.id == AuditAnswer.audit_id)
    batches = select(func.count()).select_from(BatchPrediction)
    total = BYTES_OF_AUDIT_ITEM * _number(scope, select(func.sum(Audit.size)).where(Audit.owner == scope.owner))
    total += BYTES_OF_AUDIT_ANSWER * _number(scope, answers.where(Audit.owner == scope.owner))
    total += BYTES_BESIDE * _number(scope, batches.where(BatchPrediction.owner == scope.owner))
    for table in (Job, AdaptedModel):
        taken = func.sum(table.document_bytes) + func.count() * BYTES_BESIDE
        total += _number(scope, select(taken).where(table.owner == scope.owner))
    return total


def items(scope: Scope) -> int:
    """Return the number of items in the owner's datasets; those of a dataset count once it is ingested."""
    return _number(scope, _of_datasets(select(func.sum(Dataset.item_count)), scope))


def unfinished_jobs(scope: Scope) -> int:
    """Return how many of the owner's jobs and batch predictions have not ended."""
    return _of_work(scope, UNFINISHED)


def queued_jobs(scope: Scope) -> int:
    """Return how many of the owner's jobs and batch predictions wait for a worker, or jobs for their dataset."""
    return _of_work(scope, ("queued",))


def _of_work(scope: Scope, statuses: Collection[str]) -> int:
    counts = [
        select(func.count()).where(table.owner == scope.owner, table.status.in_(statuses))
        for table in (Job, BatchPrediction)
    ]
    return sum(_number(scope, count) for count in counts)


def _of_datasets(query: Select[Any], scope: Scope) -> Select[Any]:
    return query.where(Dataset.owner == scope.owner, Dataset.deleted_at.is_(None))


def _number(scope: Scope, query: Select[Any]) -> int:
    return int(scope.session.scalars(query).one() or 0)
