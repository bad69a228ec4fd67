"""`/v1/jobs`: adaptation jobs, their events and their numbers."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from app.caller import Caller, Reader, Writer
from app.http.answers import IF_NONE_MATCH, LOCATION, POLL_SECONDS, RETRY_AFTER, answers, conditional, conditional_json
from app.http.budgets import holding_of
from app.http.executors import following
from app.http.idempotency import IdempotencyKeyHeader, Replayed, idempotent, respond
from app.http.idempotency_keys import Answer
from app.http.json_bodies import Draft, json_body_schema, json_draft
from app.http.prefer import PreferHeader, settled
from app.http.query_parameters import NumbersQuery, decode_number, page
from app.http.schemas import ListDocument
from app.jobs import events, service
from app.jobs import queries as repository
from app.jobs.predictions import predictions_of
from app.jobs.schemas import (
    EventDocument,
    EventsQuery,
    JobCreate,
    JobDocument,
    JobListQuery,
    JobSummaryDocument,
    MetricDocument,
    show_event,
    show_metric,
)
from app.predicted import service as predicted
from app.predicted.schemas import PREDICTIONS, PredictionsQuery

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

STAND_INS = {"dataset_id": "", "class_names": []}


@router.post(
    "",
    status_code=202,
    responses=answers(JobDocument, 202, LOCATION, RETRY_AFTER),
    openapi_extra=json_body_schema(JobCreate),
)
async def create_job(
    draft: Annotated[Draft[JobCreate], Depends(json_draft(JobCreate, STAND_INS))],
    caller: Writer,
    prefer: PreferHeader = None,
    idempotency_key: IdempotencyKeyHeader = None,
) -> Response:
    """Create an adaptation job; a dataset that is still being ingested is waited for."""
    try:
        document = await run_in_threadpool(_create, caller, draft, idempotency_key)
    except Replayed as replayed:
        return await run_in_threadpool(respond, replayed.answer, replayed=True)
    document = await _settled(caller, document, prefer)
    return await run_in_threadpool(lambda: respond(_accepted(document)))


def _create(caller: Caller, draft: Draft[JobCreate], key: str | None) -> JobDocument:
    # what is refused has no answer to repeat
    key = None if draft.errors else key
    with idempotent(caller.keys, key, "POST /v1/jobs", draft.body.model_dump(mode="json")) as store:
        return service.create(caller, draft, lambda session, shown: store(session, _accepted(shown)))


def _accepted(document: JobDocument) -> Answer:
    return Answer.of(202, document, {"Location": document.urls["self"], "Retry-After": POLL_SECONDS})


@router.get("")
def list_jobs(caller: Reader, query: Annotated[JobListQuery, Query()]) -> ListDocument[JobSummaryDocument]:
    """List jobs, newest first, without their classes."""
    return service.list_jobs(caller, query)


@router.get("/{job_id}", responses=conditional(JobDocument), openapi_extra=IF_NONE_MATCH)
async def get_job(request: Request, job_id: str, caller: Reader, prefer: PreferHeader = None) -> Response:
    """Return one job, with an ETag; `Prefer: wait=N` answers when it is final or N seconds have passed."""
    document = await run_in_threadpool(service.read, caller, job_id)
    document = await _settled(caller, document, prefer)
    return await run_in_threadpool(conditional_json, request, document, final=service.is_final(document))


@router.delete("/{job_id}", status_code=204)
def delete_job(job_id: str, caller: Writer) -> None:
    """Delete a finished job, its events and its numbers; its model stays."""
    service.delete(caller, job_id)


@router.post("/{job_id}/cancel")
def cancel_job(job_id: str, caller: Writer) -> JobDocument:
    """Stop a job for good."""
    return service.cancel(caller, job_id)


@router.post("/{job_id}/pause")
def pause_job(job_id: str, caller: Writer) -> JobDocument:
    """Stop a job for now, keeping its progress."""
    return service.pause(caller, job_id)


@router.post("/{job_id}/resume")
def resume_job(job_id: str, caller: Writer) -> JobDocument:
    """Queue a paused job again."""
    return service.resume(caller, job_id)


@router.post("/{job_id}/retry", status_code=202)
def retry_job(job_id: str, caller: Writer) -> JobDocument:
    """Queue a failed or cancelled job again under the same id."""
    return service.retry(caller, job_id)


@router.get(
    "/{job_id}/events",
    responses={
        200: {"model": ListDocument[EventDocument], "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    },
)
async def list_events(
    request: Request,
    job_id: str,
    caller: Reader,
    query: Annotated[EventsQuery, Query()],
    last_event_id: Annotated[str | None, Header(description="`seq` of the last event received.")] = None,
) -> Response:
    """List events in order, or stream them: `Accept: text/event-stream`, resumable by `Last-Event-ID`."""
    after = decode_number(query.cursor) or 0
    if events.wants_stream(request.headers.get("accept")):
        after = max(after, events.parse_last_event_id(last_event_id))
        holding_of(request).take_stream()
        stream = events.stream(caller, job_id, after, await following(events.news, caller, job_id, after))
        return EventSourceResponse(stream, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
    rows = await run_in_threadpool(events.read, caller, job_id, after, query.limit + 1)
    found = page(rows, query.limit, show_event, lambda row: row.seq)
    return await run_in_threadpool(conditional_json, request, found)


@router.get("/{job_id}/metrics")
def list_metrics(job_id: str, caller: Reader, query: Annotated[NumbersQuery, Query()]) -> ListDocument[MetricDocument]:
    """List the numbers of every optimiser step, in order."""
    # steps count from 0 or 1, so that the first page has no lower bound
    after = decode_number(query.cursor)
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        service.get(scope, job_id)
        rows = repository.list_metrics(scope, job_id, -1 if after is None else after, query.limit + 1)
    return page(rows, query.limit, show_metric, lambda row: row.step)


@router.get("/{job_id}/predictions", responses=PREDICTIONS, openapi_extra=IF_NONE_MATCH)
def list_predictions(
    request: Request, job_id: str, caller: Reader, query: Annotated[PredictionsQuery, Query()]
) -> Response:
    """Return what the job's model serves for each item of its dataset: a page, or everything as a file."""
    return predicted.answer(request, caller, predictions_of(caller, job_id), query)


async def _settled(caller: Caller, document: JobDocument, prefer: str | None) -> JobDocument:
    return await settled(document, prefer, lambda: service.read(caller, document.id), service.is_final)
