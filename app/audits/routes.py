"""`/v1/jobs/{job_id}/audits`: reviews of some of a job's items by people."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from app.audits import answers as audit_answers
from app.audits import proposals, service
from app.audits.answer_files import CSV, read_answers
from app.audits.schemas import (
    AnswerDocument,
    AnswersPut,
    AnswersQuery,
    AuditConfirm,
    AuditCreate,
    AuditDocument,
    AuditListQuery,
    AuditSummaryDocument,
)
from app.caller import Caller, Reader, Writer
from app.http.answers import LOCATION, answers
from app.http.idempotency import IdempotencyKeyHeader, Replayed, idempotent, respond
from app.http.idempotency_keys import Answer
from app.http.json_bodies import json_body, json_body_schema
from app.http.schemas import ListDocument

router = APIRouter(prefix="/v1/jobs/{job_id}/audits", tags=["audits"])


@router.post(
    "",
    status_code=201,
    responses=answers(AuditDocument, 201, LOCATION),
    openapi_extra=json_body_schema(AuditCreate),
)
async def create_audit(
    job_id: str,
    body: Annotated[AuditCreate, Depends(json_body(AuditCreate))],
    caller: Writer,
    idempotency_key: IdempotencyKeyHeader = None,
) -> Response:
    """Draw items of the job's dataset for people to look at."""
    try:
        answer = await run_in_threadpool(_create, caller, job_id, body, idempotency_key)
    except Replayed as replayed:
        document = await run_in_threadpool(service.read, caller, job_id, str(replayed.answer.body["id"]))
        return respond(_created(document), replayed=True)
    return await run_in_threadpool(respond, answer)


def _create(caller: Caller, job_id: str, body: AuditCreate, key: str | None) -> Answer:
    route = f"POST /v1/jobs/{job_id}/audits"
    with idempotent(caller.keys, key, route, body.model_dump(mode="json")) as store:

        def remember(session: Session, shown: AuditDocument) -> None:
            # the id alone: names and texts of the items are not to outlast their dataset
            store(session, Answer(201, {"id": shown.id}, {}))

        return _created(service.create(caller, job_id, body, remember))


def _created(document: AuditDocument) -> Answer:
    return Answer.of(201, document, {"Location": document.urls["self"]})


@router.get("")
def list_audits(
    job_id: str, caller: Reader, query: Annotated[AuditListQuery, Query()]
) -> ListDocument[AuditSummaryDocument]:
    """List the job's audits, newest first, without their items."""
    return service.list_audits(caller, job_id, query)


@router.get("/{audit_id}")
def get_audit(job_id: str, audit_id: str, caller: Reader) -> AuditDocument:
    """Return one audit with its items, and what the answers measure so far."""
    return service.read(caller, job_id, audit_id)


@router.delete("/{audit_id}", status_code=204)
def delete_audit(job_id: str, audit_id: str, caller: Writer) -> None:
    """Delete an audit and its answers; what was confirmed of it stays."""
    service.delete(caller, job_id, audit_id)


def _answers_schema() -> dict[str, object]:
    table = {"type": "string", "description": "`item,label` and, if wanted, `person`, with these headings."}
    schema = json_body_schema(AnswersPut)
    content = schema["requestBody"]["content"]  # type: ignore[index]
    content[CSV] = {"schema": table}
    return schema


@router.put("/{audit_id}/answers", openapi_extra=_answers_schema())
async def put_answers(request: Request, job_id: str, audit_id: str, caller: Writer) -> AuditDocument:
    """Keep what people say of items, as JSON, as a table, or as Label Studio exports it; all of it or nothing."""
    body = await read_answers(request)
    return await run_in_threadpool(audit_answers.give, caller, job_id, audit_id, body)


@router.get(
    "/{audit_id}/answers",
    response_model=ListDocument[AnswerDocument],
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}},
)
def list_answers(
    job_id: str, audit_id: str, caller: Reader, query: Annotated[AnswersQuery, Query()]
) -> Response | ListDocument[AnswerDocument]:
    """List all answers in the order in which they came, those that were revised too; `csv` for a file."""
    if query.format == "json":
        return audit_answers.list_answers(caller, job_id, audit_id, query)
    headers = {
        "Content-Disposition": f'attachment; filename="{audit_id}.csv"',
        "Cache-Control": "private, no-store",
    }
    content = audit_answers.as_csv(caller, job_id, audit_id)
    return StreamingResponse(content, media_type=f"{CSV}; charset=utf-8", headers=headers)


@router.post("/{audit_id}/confirm")
def confirm_audit(job_id: str, audit_id: str, caller: Writer, body: AuditConfirm | None = None) -> AuditDocument:
    """Apply what the audit proposes: the verdict and the served variant, and the threshold if that is asked for."""
    return proposals.confirm(caller, job_id, audit_id, body or AuditConfirm())
