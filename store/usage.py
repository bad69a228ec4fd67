"""How much an owner has, for limits to be compared with."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from store.scope import Scope
from store.tables import (
    AdaptedModel,
    Alias,
    Audit,
    AuditAnswer,
    BatchPrediction,
    Dataset,
    IdempotencyKey,
    Job,
    Upload,
    Webhook,
    WebhookDelivery,
)
from store.transitions import UNFINISHED

#: What a job has beside its documents, roughly: rows of events and numbers, and what indexes take. A batch prediction
#: has no documents; those of a dataset and a webhook are short, and their rows stay for a while when they are deleted.
BYTES_BESIDE = 8 * 1024
#: What an answer that is kept for an idempotency key and a message to a webhook have beside their bodies.
BYTES_BESIDE_BODY = 1024
BYTES_OF_UPLOAD = 512
BYTES_OF_AUDIT_ITEM = 1024
BYTES_OF_AUDIT_ANSWER = 512
BYTES_OF_ALIAS = 512
#: Of a dataset: an item, a duplicate, or what was rejected.
BYTES_OF_ENTRY = 512


@dataclass(frozen=True)
class OwnerUsage:
    """What an owner has: bytes of files, and items of datasets."""

    stored_bytes: int
    items: int


def stored_bytes(scope: Scope) -> int:
    """Return the bytes of the owner's uploads, extracted items, models with their exports, and predictions."""
    return sum(stored_bytes_by_owner(scope.session, scope.owner).values())


def stored_bytes_by_owner(session: Session, owner: str | None = None) -> Counter[str]:
    """Return the bytes of uploads, extracted items, models with exports and predictions, by owner or of one."""
    dataset, model = Dataset.deleted_at.is_(None), AdaptedModel.deleted_at.is_(None)
    uploads = select(Dataset.owner, func.sum(Upload.size)).join_from(Dataset, Upload, Upload.dataset_id == Dataset.id)
    with_exports = AdaptedModel.size_bytes + AdaptedModel.exports_bytes
    sums = [
        (Dataset.owner, uploads.where(dataset)),
        (Dataset.owner, select(Dataset.owner, func.sum(Dataset.extracted_bytes)).where(dataset)),
        (AdaptedModel.owner, select(AdaptedModel.owner, func.sum(with_exports)).where(model)),
        (Job.owner, select(Job.owner, func.sum(Job.predictions_bytes))),
        (BatchPrediction.owner, select(BatchPrediction.owner, func.sum(BatchPrediction.predictions_bytes))),
    ]
    found: Counter[str] = Counter()
    for column, query in sums:
        query = query if owner is None else query.where(column == owner)
        found.update({name: int(size or 0) for name, size in session.execute(query.group_by(column))})
    return found


def database_bytes(scope: Scope) -> int:
    """Return about how many bytes the owner's jobs, models, batch predictions and audits take in the database
    (documents, events, numbers and answers), aliases, datasets with uploads and entries, webhooks and messages to
    these, and answers kept for idempotency keys.
    """
    answers = select(func.count(AuditAnswer.id)).join(Audit, Audit.id == AuditAnswer.audit_id)
    total = BYTES_OF_AUDIT_ITEM * _number(scope, select(func.sum(Audit.size)).where(Audit.owner == scope.owner))
    total += BYTES_OF_AUDIT_ANSWER * _number(scope, answers.where(Audit.owner == scope.owner))
    uploads = select(func.count(Upload.id)).join(Dataset, Dataset.id == Upload.dataset_id)
    total += BYTES_OF_UPLOAD * _number(scope, _of_datasets(uploads, scope))
    total += BYTES_OF_ENTRY * _number(scope, _of_datasets(select(func.sum(Dataset.entry_count)), scope))
    total += BYTES_OF_ALIAS * _number(scope, select(func.count()).where(Alias.owner == scope.owner))
    for plain in (BatchPrediction, Dataset, Webhook):
        total += BYTES_BESIDE * _number(scope, select(func.count()).where(plain.owner == scope.owner))
    for sent in (IdempotencyKey, WebhookDelivery):
        taken = func.sum(sent.body_bytes) + func.count() * BYTES_BESIDE_BODY
        total += _number(scope, select(taken).where(sent.owner == scope.owner))
    for table in (Job, AdaptedModel):
        taken = func.sum(table.document_bytes) + func.count() * BYTES_BESIDE
        total += _number(scope, select(taken).where(table.owner == scope.owner))
    return total


def items(scope: Scope) -> int:
    """Return the number of items in the owner's datasets; those of a dataset count once it is ingested."""
    return _number(scope, _of_datasets(select(func.sum(Dataset.item_count)), scope))


def by_owner(session: Session) -> dict[str, OwnerUsage]:
    """Return what each owner has, those first who have most."""
    files = stored_bytes_by_owner(session)
    of_items = select(Dataset.owner, func.sum(Dataset.item_count)).where(Dataset.deleted_at.is_(None))
    counts = Counter({owner: int(total or 0) for owner, total in session.execute(of_items.group_by(Dataset.owner))})
    owners = sorted({*files, *counts}, key=lambda owner: (-files[owner], owner))
    return {owner: OwnerUsage(files[owner], counts[owner]) for owner in owners}


def unfinished_jobs(scope: Scope) -> int:
    """Return how many of the owner's jobs and batch predictions have not ended."""
    return _of_work(scope, UNFINISHED)


def unfinished_jobs_by_owner(session: Session) -> Counter[str]:
    """Return how many jobs and batch predictions have not ended, by owner."""
    found: Counter[str] = Counter()
    for table in (Job, BatchPrediction):
        query = select(table.owner, func.count()).where(table.status.in_(UNFINISHED)).group_by(table.owner)
        for owner, number in session.execute(query):
            found[owner] += number
    return found


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
