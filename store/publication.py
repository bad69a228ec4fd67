"""Publishing the one model of a job, under the job's fence."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import JsonValue
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pouf_core.contract.result import AdaptationResult, PartialResult
from store.database import Database
from store.ids import new_id
from store.leases import Lease, LeaseLost, fenced
from store.storage import Storage
from store.storage_keys import model_key, predictions_key
from store.tables import AdaptedModel, Alias, Dataset, Job, JobEvent
from store.transitions import TransitionNotAllowed, append_event, transition

logger = logging.getLogger(__name__)

PUBLISHING_EVENT = "job.publishing"


def publish_model(
    database: Database,
    storage: Storage,
    lease: Lease[Job],
    artifact: Path,
    result: AdaptationResult,
    predictions: Path | None = None,
) -> str:
    """Store artifact and predictions, add the model, move the alias and finish the job; returns the model's id.

    Args:
        database: of the service.
        storage: where its files are.
        lease: of the job.
        artifact: the folder of the model.
        result: what the job came to.
        predictions: the folder with the predictions of its items; None where there are none.

    Raises:
        LeaseLost: somebody else has taken the job over; nothing of this attempt stays.
        TransitionNotAllowed: the job is being cancelled; nothing of this attempt stays.
    """
    model_id = new_id("mdl")
    with database.write() as session:
        # Written down first, so that a copy whose publisher dies half-way can be found and removed.
        append_event(session, fenced(session, lease), PUBLISHING_EVENT, {"model_id": model_id})
    key = model_key(model_id)
    storage.put_directory(key, artifact)
    if predictions is not None:
        storage.put_directory(predictions_key(model_id), predictions)
    try:
        with database.write() as session:
            job = fenced(session, lease)
            _add_model(session, job, model_id, _size(artifact), result)
            if predictions is not None:
                job.predictions_key, job.predictions_bytes = predictions_key(model_id), _size(predictions)
            _succeed(session, job, model_id, result)
    except (LeaseLost, TransitionNotAllowed):
        _remove(storage, model_id)
        raise
    return model_id


def remove_unpublished(database: Database, storage: Storage, job_id: str) -> None:
    """Remove what attempts stored that never published; for the job's holder, or when the job is final."""
    with database.read() as session:
        events = session.scalars(
            select(JobEvent.data).where(JobEvent.job_id == job_id, JobEvent.type == PUBLISHING_EVENT)
        ).all()
        published = set(session.scalars(select(AdaptedModel.id).where(AdaptedModel.job_id == job_id)).all())
    for model_id in {str(event["model_id"]) for event in events} - published:
        _remove(storage, model_id)


def _remove(storage: Storage, model_id: str) -> None:
    for key in (model_key(model_id), predictions_key(model_id)):
        storage.delete(key)


def _add_model(session: Session, job: Job, model_id: str, size: int, result: AdaptationResult) -> None:
    dataset = session.get_one(Dataset, job.dataset_id)
    session.add(
        AdaptedModel(
            id=model_id,
            owner=job.owner,
            name=job.name,
            job_id=job.id,
            request=job.request,
            result=PartialResult(**result.as_partial()),
            storage_key=model_key(model_id),
            size_bytes=size,
            fingerprint=dataset.fingerprint,
            meta=job.meta,
        )
    )
    session.flush()
    if job.alias:
        _move_alias(session, job.owner, job.alias, model_id)


def _move_alias(session: Session, owner: str, name: str, model_id: str) -> None:
    if session.get(Alias, (owner, name)) is None:
        try:
            with session.begin_nested():
                session.add(Alias(owner=owner, name=name, model_id=model_id))
            return
        except IntegrityError:
            logger.info("Alias %r has just been made by another job; it moves.", name)
    session.get_one(Alias, (owner, name), with_for_update=True).model_id = model_id


def _succeed(session: Session, job: Job, model_id: str, result: AdaptationResult) -> None:
    job.step = job.total_steps = result.method.max_steps  # the last stages counted other things
    job.result = PartialResult(**result.as_partial())
    job.model_id = model_id
    data: dict[str, JsonValue] = {"model_id": model_id, "verdict": result.verdict, "fallback": result.fallback}
    transition(session, job, "succeeded", data=data)


def _size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
