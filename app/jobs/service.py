"""Adaptation jobs: validated and created, listed, cancelled, paused, resumed, retried."""

from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from app.auth import quotas
from app.caller import Caller
from app.http.errors import FieldError, conflict, not_found, several
from app.http.json_bodies import Draft
from app.http.query_parameters import decode_cursor, page
from app.http.schemas import ListDocument
from app.jobs import datasets as job_datasets
from app.jobs import queries as repository
from app.jobs.bodies import check_body
from app.jobs.datasets import modality_of_dataset
from app.jobs.schemas import (
    JobCreate,
    JobDocument,
    JobListQuery,
    JobSummaryDocument,
    Pace,
    show_job,
    show_job_summary,
)
from app.state import require_space
from pouf_core.contract.base_model import BY_MODALITY
from pouf_core.contract.dataset_items import RequestedModality
from pouf_core.contract.request import CheckedRequest
from pouf_core.contract.result import PartialResult
from pouf_core.errors import InvalidInput, problems_of
from pouf_core.families.default_base_model import settle_base_model
from store.ids import new_id
from store.job_datasets import all_ready, datasets_of
from store.job_warnings import add_warnings, data_warnings
from store.queues import enqueue_training
from store.reserve import freeing
from store.retention import forget_job
from store.scope import Scope
from store.summaries import document_bytes
from store.tables import AdaptedModel, Dataset, Job
from store.transitions import FINAL, start_life, transition

OnCreated = Callable[[Session, JobDocument], None]

#: Of a job's history, which its documents show whole, when a caller may queue it once more.
MOST_TRANSITIONS = 500


def create(caller: Caller, draft: Draft[JobCreate], on_created: OnCreated) -> JobDocument:
    """Create a queued job; raises 422 with every error of the body, 409 when the dataset cannot be used, or 507."""
    body = draft.body
    # what a wrong base model was meant to be is not known, nor what else would go with it
    modality = "auto" if draft.lacks("/base_model") else _known_modality(caller, body)
    if modality != "auto":
        body = body.for_modality(modality)
    if modality != "embedding":  # whose items nothing encodes
        body = body.computed_in(caller.state.settings.precision)
    checked = check_body(body, modality, caller.state.settings)
    require_space(caller.state)
    with caller.state.database.write() as session:
        scope = caller.scope(session)
        quotas.require_room_for_job(caller.limits, scope)
        quotas.require_storage(caller.limits, scope)
        datasets, problems = job_datasets.find(scope, body, checked.base, checked.request)
        refuse(checked.problems + problems, draft)
        for dataset in datasets:
            _require_usable(dataset)
        ready = all_ready(datasets)
        job = _new_job(caller, body, checked.request)
        _settle_base_model(job, datasets)
        quotas.require_room_in_database(caller.limits, scope, document_bytes(job.request))
        job.stage = None if ready else "waiting_for_dataset"
        start_life(session, job)
        add_warnings(session, job, data_warnings(datasets))
        if ready:
            enqueue_training(session, job.id)
        document = show(scope, [job])[0]
        on_created(session, document)
    caller.state.publisher.wake()
    return document


def list_jobs(caller: Caller, query: JobListQuery) -> ListDocument[JobSummaryDocument]:
    """Return a page of jobs, newest first, without their classes."""
    filters = query.filters(decode_cursor(query.cursor), query.status)
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        rows = repository.list_jobs(scope, filters, query.dataset_id, query.limit + 1)
        documents = {document.id: document for document in summarize(scope, rows)}
    return page(rows, query.limit, lambda row: documents[row.id], lambda row: row.id)


def read(caller: Caller, job_id: str) -> JobDocument:
    """Return the document as it is now; raises 404 ``job_not_found``."""
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        return show(scope, [get(scope, job_id)])[0]


def get(scope: Scope, job_id: str, *, lock: bool = False) -> Job:
    """Return the job; raises 404 ``job_not_found``."""
    job = scope.get(Job, job_id, lock=lock)
    if job is None:
        raise not_found("job", job_id)
    return job


def show(scope: Scope, jobs: Sequence[Job]) -> list[JobDocument]:
    """Return the jobs' documents."""
    positions = repository.queue_positions(scope, [job.id for job in jobs if job.status == "queued"])
    gone = _gone(scope, jobs)
    return [show_job(job, positions.get(job.id), _pace(scope, job), gone) for job in jobs]


def summarize(scope: Scope, jobs: Sequence[Job]) -> list[JobSummaryDocument]:
    """Return what a list says of the jobs."""
    positions = repository.queue_positions(scope, [job.id for job in jobs if job.status == "queued"])
    gone = _gone(scope, jobs)
    return [show_job_summary(job, positions.get(job.id), _pace(scope, job), gone) for job in jobs]


def _gone(scope: Scope, jobs: Sequence[Job]) -> frozenset[str]:
    """Return the ids of models and datasets that the jobs name and that are deleted."""
    datasets = [name for job in jobs for name in (job.dataset_id, job.class_features_dataset_id)]
    return scope.missing(AdaptedModel, [job.model_id for job in jobs]) | scope.missing(Dataset, datasets)


def is_final(document: JobDocument) -> bool:
    """Tell whether the job of that document will not change by itself any more."""
    return document.status in FINAL


def cancel(caller: Caller, job_id: str) -> JobDocument:
    """Stop the job for good; a cancelled one stays as it is. A running one stops at its next step boundary."""

    def change(session: Session, job: Job) -> None:
        if job.status in ("cancelled", "cancelling"):
            return
        if job.status in FINAL:
            raise conflict("job_already_finished", f"The job {_stands(job)} and cannot be cancelled.")
        claimed = job.status in ("running", "pausing")
        transition(session, job, "cancelling" if claimed else "cancelled", job.stage if claimed else None)

    return _change(caller, job_id, change, frees=True)


def pause(caller: Caller, job_id: str) -> JobDocument:
    """Give the job's worker free and keep its progress; a paused one stays as it is."""

    def change(session: Session, job: Job) -> None:
        if job.status in ("pausing", "paused"):
            return
        if job.status not in ("queued", "running"):
            raise conflict("job_not_pausable", f"The job {_stands(job)} and cannot be paused.")
        running = job.status == "running"
        transition(session, job, "pausing" if running else "paused", job.stage if running else None)

    return _change(caller, job_id, change)


def delete(caller: Caller, job_id: str) -> None:
    """Delete a finished job, its events, numbers and predictions; its model stays. Raises 409 ``job_not_finished``."""
    with freeing(caller.state.database) as session:
        job = get(caller.scope(session), job_id, lock=True)
        if job.status not in FINAL:
            message = f"The job is {job.status}; cancel it, or wait until it has ended."
            raise conflict("job_not_finished", message, retry=True)
        predictions = job.predictions_key
        forget_job(session, job)
    if predictions is not None:
        caller.state.storage.discard(predictions)
    (caller.state.settings.log_dir / f"{job_id}.log").unlink(missing_ok=True)


def resume(caller: Caller, job_id: str) -> JobDocument:
    """Queue a paused job again; one that is queued or running stays as it is."""

    def change(session: Session, job: Job) -> None:
        if job.status in ("queued", "running"):
            return
        if job.status == "pausing":
            raise conflict("job_still_pausing", "The job has not stopped yet; resume it when it is paused.", retry=True)
        if job.status != "paused":
            raise conflict("job_not_paused", f"The job {_stands(job)} and cannot be resumed.")
        quotas.require_room_in_queue(caller.limits, caller.scope(session))
        _queue_again(session, job)

    return _change(caller, job_id, change)


def retry(caller: Caller, job_id: str) -> JobDocument:
    """Run a failed or cancelled job again, under its id and with a new count of attempts."""

    def change(session: Session, job: Job) -> None:
        if job.status == "queued":
            return
        if job.status not in ("failed", "cancelled"):
            raise conflict(
                "job_not_retryable", f"The job {_stands(job)}; only failed or cancelled jobs can be retried."
            )
        quotas.require_room_for_job(caller.limits, caller.scope(session))
        job.attempt = job.lost_attempts = job.step = 0
        job.total_steps = job.started_at = job.finished_at = None
        job.error_code = job.error_message = job.latest_metrics = None
        job.result = PartialResult(method=job.result.method)
        _queue_again(session, job)

    return _change(caller, job_id, change)


def _stands(job: Job) -> str:
    """Where the job stands, after the words "the job"."""
    return {"succeeded": "has succeeded", "failed": "has failed", "cancelled": "was cancelled"}.get(
        job.status, f"is {job.status}"
    )


def _change(caller: Caller, job_id: str, change: Callable[[Session, Job], None], *, frees: bool = False) -> JobDocument:
    database = caller.state.database
    with freeing(database) if frees else database.write() as session:
        scope = caller.scope(session)
        job = get(scope, job_id, lock=True)
        change(session, job)
        session.flush()
        document = show(scope, [job])[0]
    caller.state.publisher.wake()
    return document


def _queue_again(session: Session, job: Job) -> None:
    if len(job.status_transitions) >= MOST_TRANSITIONS:
        message = "The job was stopped and started too often; create a new one over the same dataset."
        raise conflict("job_history_full", message)
    datasets = datasets_of(session, job, lock=True)
    for dataset in datasets:
        if dataset.deleted_at is not None:
            raise conflict("dataset_deleted", "The job's dataset was deleted; create a new job over another one.")
        _require_usable(dataset)
    ready = all_ready(datasets)
    _settle_base_model(job, datasets)
    transition(session, job, "queued", None if ready else "waiting_for_dataset")
    add_warnings(session, job, data_warnings(datasets))
    if ready:
        enqueue_training(session, job.id)


def _known_modality(caller: Caller, body: JobCreate) -> RequestedModality:
    """What the dataset holds, as far as is known now; `auto` where there is none. Class features are of embeddings."""
    if body.class_features_dataset_id is not None and body.base_model == BY_MODALITY:
        return "embedding"
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        dataset = scope.get(Dataset, body.dataset_id)
        return "auto" if dataset is None else modality_of_dataset(scope, dataset)


def _require_usable(dataset: Dataset) -> None:
    if dataset.status == "uploading":
        raise conflict("dataset_not_finalized", "Finalize the dataset first: POST …/finalize.", retry=True)
    if dataset.status == "failed":
        raise conflict("dataset_failed", f"The dataset failed to be ingested: {dataset.error_message}")


def refuse(problems: Sequence[InvalidInput], draft: Draft[JobCreate] | None = None) -> None:
    """Raise 422 for the problems, and for those of the draft; of fields that it lacks only the latter."""
    errors = [FieldError(item.field or "", item.code, item.message) for item in problems]
    if draft is not None:
        errors = draft.errors + [error for error in errors if not draft.lacks(error.pointer)]
    if errors:
        raise several(errors)


def _settle_base_model(job: Job, datasets: Sequence[Dataset]) -> None:
    """Choose the base model by the dataset, whose items ingestion may have told meanwhile."""
    try:
        job.request = settle_base_model(job.request, datasets[0].modality)
    except InvalidInput as error:
        refuse(problems_of(error))


def _new_job(caller: Caller, body: JobCreate, request: CheckedRequest | None) -> Job:
    return Job(
        id=new_id("job"),
        owner=caller.owner,
        name=body.name,
        meta=body.metadata,
        alias=body.alias,
        request=body.unsettled() if request is None else request.as_request(),
        result=PartialResult(),
        dataset_id=body.dataset_id,
        class_features_dataset_id=body.class_features_dataset_id,
    )


def _pace(scope: Scope, job: Job) -> Pace | None:
    return repository.recent_pace(scope, job.id) if job.status == "running" and job.stage == "training" else None
