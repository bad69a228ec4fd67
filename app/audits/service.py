"""Audits: drawn, shown with what the answers measure so far, listed, deleted."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sqlalchemy.orm import Session

from app.audits import queries as repository
from app.audits.estimates import Reviewed, reviewed
from app.audits.schemas import AuditCreate, AuditDocument, AuditListQuery, AuditSummaryDocument
from app.audits.showing import Names, class_names_of, show_audit, show_audit_summary
from app.auth import quotas
from app.caller import Caller
from app.http.errors import ApiError, conflict, not_found
from app.http.query_parameters import decode_cursor, page
from app.http.schemas import ListDocument
from app.jobs.predictions import predictions_of
from app.jobs.service import get as get_job
from app.predicted import queries as predicted
from app.predicted.service import clusters_of
from app.predicted.service import read as read_predictions
from pouf_core.audit.frame import Frame
from pouf_core.audit.sampling import Drawn, draw
from pouf_core.predictions.stored import Clusters, StoredPredictions
from store.ids import new_id
from store.reserve import freeing
from store.retention import forget_audits
from store.scope import Scope
from store.tables import AdaptedModel, Audit, AuditItem, Dataset, Job
from store.usage import BYTES_OF_AUDIT_ITEM

OnCreated = Callable[[Session, AuditDocument], None]


@dataclass(frozen=True)
class Found:
    """An audit with its job, in a transaction."""

    scope: Scope
    job: Job
    audit: Audit

    @cached_property
    def items(self) -> Sequence[AuditItem]:
        """The drawn items in order."""
        return repository.list_items(self.scope, self.audit.id)

    def reviewed(self) -> Reviewed:
        """Return its items and the answers that count."""
        return reviewed(self.audit, self.items, repository.last_answers(self.scope, self.audit.id).values())

    @property
    def threshold(self) -> float | None:
        """What an audit gave the job's model."""
        model = self.scope.get(AdaptedModel, self.job.model_id or "")
        return None if model is None else model.audited_threshold

    @cached_property
    def names(self) -> Names:
        """What the dataset knows of the drawn items."""
        dataset = self.scope.session.get_one(Dataset, self.audit.dataset_id)
        found = predicted.items_by_content(self.scope.session, dataset.id, [item.sha256 for item in self.items])
        return Names(dataset.modality == "image", found)


def create(caller: Caller, job_id: str, body: AuditCreate, on_created: OnCreated) -> AuditDocument:
    """Draw an audit of the job's predictions.

    Raises 422 ``audit_size`` or ``audit_suspected``, or as `predictions_of`.
    """
    predictions = predictions_of(caller, job_id)
    stored = read_predictions(caller, predictions)
    seed = secrets.randbelow(2**31) if body.seed is None else body.seed
    frame = _frame(stored, clusters_of(caller, predictions, len(stored)))
    drawn = draw(frame, body.size, body.suspected, seed)
    with caller.state.database.write() as session:
        scope = caller.scope(session)
        quotas.require_room_in_database(caller.limits, scope, BYTES_OF_AUDIT_ITEM * body.size)
        job = get_job(scope, job_id, lock=True)
        if job.predictions_key is None:  # the dataset has just been deleted
            raise ApiError(404, "predictions_not_found", f"There are no predictions of job {job_id}.")
        audit = Audit(
            id=new_id("aud"),
            owner=caller.owner,
            job_id=job.id,
            dataset_id=job.dataset_id,
            size=body.size,
            seed=seed,
            wished_accuracy=body.wished_accuracy or job.request.wished_accuracy,
            design=drawn.design.model_dump(mode="json"),
        )
        session.add(audit)
        session.flush()
        repository.add(scope, _items(audit.id, drawn, stored))
        document = show(Found(scope, job, audit))
        on_created(session, document)
    return document


def read(caller: Caller, job_id: str, audit_id: str) -> AuditDocument:
    """Return the document as it is now; raises 404 ``job_not_found`` or ``audit_not_found``."""
    with caller.state.database.read() as session:
        return show(find(caller.scope(session), job_id, audit_id))


def list_audits(caller: Caller, job_id: str, query: AuditListQuery) -> ListDocument[AuditSummaryDocument]:
    """Return a page of the job's audits, newest first."""
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        job = get_job(scope, job_id)
        rows = repository.list_audits(scope, job_id, decode_cursor(query.cursor), query.limit + 1)
        found, classes = [Found(scope, job, row) for row in rows], class_names_of(job)

        def show_summary(one: Found) -> AuditSummaryDocument:
            return show_audit_summary(job, one.reviewed(), one.threshold, classes)

        return page(found, query.limit, show_summary, lambda one: one.audit.id)


def delete(caller: Caller, job_id: str, audit_id: str) -> None:
    """Delete the audit and its answers; what was applied of it stays."""
    with freeing(caller.state.database) as session:
        find(caller.scope(session), job_id, audit_id, lock=True)
        forget_audits(session, Audit.id == audit_id)


def find(scope: Scope, job_id: str, audit_id: str, *, lock: bool = False) -> Found:
    """Return the audit of that job; raises 404 ``job_not_found`` or ``audit_not_found``."""
    job = get_job(scope, job_id, lock=lock)
    audit = repository.find_audit(scope, job.id, audit_id, lock=lock)
    if audit is None:
        raise not_found("audit", audit_id)
    return Found(scope, job, audit)


def show(found: Found) -> AuditDocument:
    """Return the audit's document."""
    reviewed = found.reviewed()
    return show_audit(found.job, reviewed, found.threshold, found.names, class_names_of(found.job))


def _frame(stored: StoredPredictions, clusters: Clusters) -> Frame:
    if not len(stored):
        raise conflict("dataset_empty", "The dataset has no items to draw from.")
    records = stored.records
    return Frame(
        adapted=records["adapted_label"].astype(np.int64),
        zero_shot=records["zero_shot_label"].astype(np.int64),
        served=stored.header.variant,
        probability=records["probability"].astype(np.float64),
        runner_up=records["runner_up"].astype(np.int64),
        runner_up_probability=records["runner_up_probability"].astype(np.float64),
        cluster=clusters.astype(np.int64),
    )


def _items(audit_id: str, drawn: Drawn, stored: StoredPredictions) -> list[AuditItem]:
    chosen = stored.rows(drawn.rows)
    return [
        AuditItem(
            audit_id=audit_id,
            position=position,
            sha256=sha256,
            stratum=stratum,
            adapted=int(record["adapted_label"]),
            zero_shot=int(record["zero_shot_label"]),
            runner_up=int(record["runner_up"]),
            probability=float(record["probability"]),
            runner_up_probability=float(record["runner_up_probability"]),
        )
        for position, (stratum, sha256, record) in enumerate(
            zip(drawn.strata.tolist(), chosen.hashes, chosen.records, strict=True), start=1
        )
    ]
