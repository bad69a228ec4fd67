"""`/v1/batch-predictions`: a dataset predicted by a model that was adapted before."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.batch_predictions import service
from app.batch_predictions.schemas import (
    BatchPredictionCreate,
    BatchPredictionDocument,
    BatchPredictionListQuery,
)
from app.caller import Caller, Reader, Writer
from app.http.answers import IF_NONE_MATCH, LOCATION, POLL_SECONDS, RETRY_AFTER, answers, conditional, conditional_json
from app.http.idempotency import IdempotencyKeyHeader, Replayed, idempotent, respond
from app.http.idempotency_keys import Answer
from app.http.json_bodies import json_body, json_body_schema
from app.http.prefer import PreferHeader, settled
from app.http.schemas import ListDocument
from app.predicted import service as predicted
from app.predicted.schemas import PREDICTIONS, PredictionsQuery

router = APIRouter(prefix="/v1/batch-predictions", tags=["batch predictions"])


@router.post(
    "",
    status_code=202,
    responses=answers(BatchPredictionDocument, 202, LOCATION, RETRY_AFTER),
    openapi_extra=json_body_schema(BatchPredictionCreate),
)
async def create_batch_prediction(
    body: Annotated[BatchPredictionCreate, Depends(json_body(BatchPredictionCreate))],
    caller: Writer,
    prefer: PreferHeader = None,
    idempotency_key: IdempotencyKeyHeader = None,
) -> Response:
    """Predict every item of a dataset with a model of the same owner, named by id or alias."""
    try:
        document = await run_in_threadpool(_create, caller, body, idempotency_key)
    except Replayed as replayed:
        return await run_in_threadpool(respond, replayed.answer, replayed=True)
    document = await _settled(caller, document, prefer)
    return await run_in_threadpool(lambda: respond(_accepted(document)))


def _create(caller: Caller, body: BatchPredictionCreate, key: str | None) -> BatchPredictionDocument:
    with idempotent(caller.keys, key, "POST /v1/batch-predictions", body.model_dump(mode="json")) as store:
        return service.create(caller, body, lambda session, shown: store(session, _accepted(shown)))


def _accepted(document: BatchPredictionDocument) -> Answer:
    return Answer.of(202, document, {"Location": document.urls["self"], "Retry-After": POLL_SECONDS})


@router.get("")
def list_batch_predictions(
    caller: Reader, query: Annotated[BatchPredictionListQuery, Query()]
) -> ListDocument[BatchPredictionDocument]:
    """List batch predictions, newest first."""
    return service.list_batches(caller, query)


@router.get("/{batch_id}", responses=conditional(BatchPredictionDocument), openapi_extra=IF_NONE_MATCH)
async def get_batch_prediction(
    request: Request, batch_id: str, caller: Reader, prefer: PreferHeader = None
) -> Response:
    """Return one batch prediction, with an ETag; `Prefer: wait=N` answers when it is final or N seconds have passed."""
    document = await run_in_threadpool(service.read, caller, batch_id)
    document = await _settled(caller, document, prefer)
    return await run_in_threadpool(conditional_json, request, document, final=service.is_final(document))


@router.get("/{batch_id}/predictions", responses=PREDICTIONS, openapi_extra=IF_NONE_MATCH)
def list_item_predictions(
    request: Request, batch_id: str, caller: Reader, query: Annotated[PredictionsQuery, Query()]
) -> Response:
    """Return what the model serves for each item of the dataset: a page, or everything as a file."""
    return predicted.answer(request, caller, service.predictions_of(caller, batch_id), query)


@router.post("/{batch_id}/cancel")
def cancel_batch_prediction(batch_id: str, caller: Writer) -> BatchPredictionDocument:
    """Stop a batch prediction for good."""
    return service.cancel(caller, batch_id)


@router.delete("/{batch_id}", status_code=204)
def delete_batch_prediction(batch_id: str, caller: Writer) -> None:
    """Delete a batch prediction that has ended, with its predictions."""
    service.delete(caller, batch_id)


async def _settled(caller: Caller, document: BatchPredictionDocument, prefer: str | None) -> BatchPredictionDocument:
    return await settled(document, prefer, lambda: service.read(caller, document.id), service.is_final)
