"""Adaptation jobs: validated and created, listed, cancelled, paused, resumed, retried."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.auth import quotas
from app.caller import Caller
from app.http.errors import FieldError, conflict, not_found, several
from app.jobs import queries as repository
from app.jobs.schemas import JobCreate, JobDocument, show_job
from app.state import require_space
from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.classes import ClassName, parse_class_names
from pouf_core.contract.dataset_items import check_dataset_items
from pouf_core.contract.method import BASELINE_SETTINGS, MethodSpec
from pouf_core.contract.method_checks import check_base, check_method
from pouf_core.contract.wording import (
    label_words_for,
    language_template,
    templates_for,
    text_limits_for,
)
from pouf_core.errors import InvalidInput
from pouf_core.families.catalogue import describe
from pouf_core.families.language.vocabulary import check_vocabulary
from store.ids import new_id
from store.queues import enqueue_training
from store.scope import Scope
from store.settings import Settings
from store.tables import Dataset, Job
from store.transitions import FINAL, start_life, transition


@dataclass(frozen=True)
class CheckedBody:
    """What could be made of a body; empty, or None, where it is wrong."""

    base: BaseModelDescription | None
    class_names: list[ClassName]
    templates: list[str]
    label_words: list[tuple[str, ...]]


OnCreated = Callable[[Session, JobDocument], None]


def create(caller: Caller, body: JobCreate, on_created: OnCreated) -> JobDocument:
    """Create a queued job; raises 422 with every error of the body, 409 when the dataset cannot be used, or 507."""
    errors, request = _check_body(body, caller.state.settings)
    require_space(caller.state)
    with caller.state.database.write() as session:
        scope = caller.scope(session)
        quotas.require_room_for_job(caller.limits, scope)
        quotas.require_storage(caller.limits, scope)
        # locked, so that a dataset that becomes ready now is seen either here or by the one who makes it ready
        dataset = scope.get(Dataset, body.dataset_id, lock=True)
        errors += _check_dataset(dataset, body.dataset_id, request)
        if errors:
            raise several(errors)
        assert dataset is not None
        _require_usable(dataset)
        job = _new_job(caller, body, request)
        job.stage = None if dataset.status == "ready" else "waiting_for_dataset"
        start_life(session, job)
        if dataset.status == "ready":
            enqueue_training(session, job.id)
        document = show(scope, [job])[0]
        on_created(session, document)
    caller.state.publisher.wake()
    return document


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
    return [show_job(job, positions.get(job.id), _pace(scope, job)) for job in jobs]


def is_final(document: JobDocument) -> bool:
    """Tell whether the job of that document will not change by itself any more."""
    return document.status in FINAL


def cancel(caller: Caller, job_id: str) -> JobDocument:
    """Stop the job for good; a cancelled one stays as it is. A running one stops at its next step boundary."""

    def change(session: Session, job: Job) -> None:
        if job.status in ("cancelled", "cancelling"):
            return
        if job.status in FINAL:
            raise conflict("job_already_finished", f"The job has {job.status} and cannot be cancelled.")
        claimed = job.status in ("running", "pausing")
        job.cancel_requested = claimed
        job.pause_requested = False
        transition(session, job, "cancelling" if claimed else "cancelled", job.stage if claimed else None)

    return _change(caller, job_id, change)


def pause(caller: Caller, job_id: str) -> JobDocument:
    """Give the job's worker free and keep its progress; a paused one stays as it is."""

    def change(session: Session, job: Job) -> None:
        if job.status in ("pausing", "paused"):
            return
        if job.status not in ("queued", "running"):
            raise conflict("job_not_pausable", f"The job is {job.status} and cannot be paused.")
        running = job.status == "running"
        job.pause_requested = running
        transition(session, job, "pausing" if running else "paused", job.stage if running else None)

    return _change(caller, job_id, change)


def resume(caller: Caller, job_id: str) -> JobDocument:
    """Queue a paused job again; one that is queued or running stays as it is."""

    def change(session: Session, job: Job) -> None:
        if job.status in ("queued", "running"):
            return
        if job.status == "pausing":
            raise conflict("job_still_pausing", "The job has not stopped yet; resume it when it is paused.", retry=True)
        if job.status != "paused":
            raise conflict("job_not_paused", f"The job is {job.status} and cannot be resumed.")
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
                "job_not_retryable", f"The job is {job.status}; only failed or cancelled jobs can be retried."
            )
        quotas.require_room_for_job(caller.limits, caller.scope(session))
        job.attempt = job.lost_attempts = job.step = 0
        job.total_steps = job.started_at = job.finished_at = None
        job.error_code = job.error_message = job.latest_metrics = None
        job.evaluation = job.verdict = job.fallback = job.selected_step = None
        job.verdict_reasons = []
        job.warnings = []
        _queue_again(session, job)

    return _change(caller, job_id, change)


def _change(caller: Caller, job_id: str, change: Callable[[Session, Job], None]) -> JobDocument:
    with caller.state.database.write() as session:
        scope = caller.scope(session)
        job = get(scope, job_id, lock=True)
        change(session, job)
        session.flush()
        document = show(scope, [job])[0]
    caller.state.publisher.wake()
    return document


def _queue_again(session: Session, job: Job) -> None:
    dataset = session.get_one(Dataset, job.dataset_id, with_for_update=True)
    if dataset.deleted_at is not None:
        raise conflict("dataset_deleted", "The job's dataset was deleted; create a new job over another one.")
    _require_usable(dataset)
    job.cancel_requested = job.pause_requested = False
    ready = dataset.status == "ready"
    transition(session, job, "queued", None if ready else "waiting_for_dataset")
    if ready:
        enqueue_training(session, job.id)


def _check_body(body: JobCreate, settings: Settings) -> tuple[list[FieldError], CheckedBody]:
    """Return every error of the body, and what could be made of it."""
    errors: list[FieldError] = []
    class_names = _collect(errors, "/class_names", lambda: parse_class_names(body.class_names)) or []
    base = _collect(errors, "/base_model", lambda: describe(body.base_model))
    templates: list[str] = []
    label_words: list[tuple[str, ...]] = []
    if class_names:
        _collect(errors, "/method", lambda: check_method(body.method, len(class_names)))
    if base is not None and not settings.allows_base_model(body.base_model):
        message = f"Base model {body.base_model!r} is not allowed here; GET /v1/base-models lists those that are."
        errors.append(FieldError("/base_model", "base_model_not_allowed", message))
    if base is not None:
        templates = _collect(errors, "/prompt_template", lambda: templates_for(base, body.prompt_template)) or []
        if templates:
            _collect(errors, "/text_limits", lambda: text_limits_for(base, body.text_limits, templates))
        _collect(errors, "/method", lambda: check_base(body.method, base))
        if class_names:
            words = _collect(errors, "/label_words", lambda: label_words_for(base, body.label_words, class_names))
            label_words = words or []
    request = CheckedBody(base, class_names, templates, label_words)
    if not errors:  # so the base model is allowed, and its files may be read
        _collect(errors, "/label_words", lambda: _check_vocabulary(request, body.text_limits or {}))
    return errors, request


def _check_vocabulary(request: CheckedBody, limits: dict[str, int]) -> None:
    assert request.base is not None
    template = language_template(request.base, request.templates)
    if template is not None:
        check_vocabulary(request.base, template, request.label_words, request.class_names, limits)


def _collect(errors: list[FieldError], pointer: str, parse: Callable[[], Any]) -> Any:
    try:
        return parse()
    except InvalidInput as error:
        errors.append(FieldError(error.field or pointer, error.code, error.message))
        return None


def _check_dataset(dataset: Dataset | None, dataset_id: str, request: CheckedBody) -> list[FieldError]:
    if dataset is None:
        return [FieldError("/dataset_id", "dataset_not_found", f"There is no dataset {dataset_id!r}.")]
    base = request.base
    if base is None:
        return []
    errors: list[FieldError] = []
    pairs = dataset.text_pairs if dataset.status == "ready" else None
    _collect(errors, "/dataset_id", lambda: check_dataset_items(base, request.templates, dataset.modality, pairs))
    return errors


def _require_usable(dataset: Dataset) -> None:
    if dataset.status == "uploading":
        raise conflict("dataset_not_finalized", "Finalize the dataset first: POST …/finalize.", retry=True)
    if dataset.status == "failed":
        raise conflict("dataset_failed", f"The dataset failed to be ingested: {dataset.error_message}")


def _new_job(caller: Caller, body: JobCreate, request: CheckedBody) -> Job:
    named_words = zip(request.class_names, request.label_words, strict=bool(request.label_words))
    return Job(
        id=new_id("job"),
        owner=caller.owner,
        name=body.name,
        meta=body.metadata,
        alias=body.alias,
        request=body.model_dump(mode="json", exclude_unset=True),
        method=_requested(body.method),
        dataset_id=body.dataset_id,
        base_model=body.base_model,
        class_names=[item.model_dump(exclude_none=True) if item.prompt else item.name for item in request.class_names],
        prompt_template=request.templates,
        label_words={item.name: list(words) for item, words in named_words} or None,
        seed=body.seed,
        warnings=[],
    )


def _requested(method: MethodSpec) -> dict[str, Any]:
    """What the job shows until the method is resolved, without the settings that a baseline does not have."""
    return method.model_dump(mode="json", include=BASELINE_SETTINGS.get(method.type))


def _pace(scope: Scope, job: Job) -> Any:
    return repository.recent_pace(scope, job.id) if job.status == "running" and job.stage == "training" else None
