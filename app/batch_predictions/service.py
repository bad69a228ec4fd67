"""Batch predictions: created, read, cancelled, deleted."""

from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from app.auth import quotas
from app.batch_predictions import queries as repository
from app.batch_predictions.schemas import (
    BatchPredictionCreate,
    BatchPredictionDocument,
    BatchPredictionListQuery,
    show_batch,
)
from app.caller import Caller
from app.http.errors import ApiError, conflict, invalid, not_found
from app.http.query_parameters import decode_cursor, page
from app.http.schemas import ListDocument
from app.models import service as models
from app.predicted.service import Predictions
from app.state import require_space
from store.clock import utcnow
from store.ids import new_id
from store.queues import enqueue_prediction
from store.reserve import freeing
from store.scope import Scope
from store.tables import AdaptedModel, BatchPrediction, Dataset
from store.transitions import FINAL
from store.usage import BYTES_BESIDE

OnCreated = Callable[[Session, BatchPredictionDocument], None]


def create(caller: Caller, body: BatchPredictionCreate, on_created: OnCreated) -> BatchPredictionDocument:
    """Queue a prediction; raises 404 for an unknown model or dataset, 409 for one not ready, 422, 429 or 507."""
    model = models.find(caller, body.model)
    modality = models.manifest_of(caller, model).get("modality", "image")
    require_space(caller.state)
    with caller.state.database.write() as session:
        scope = caller.scope(session)
        quotas.require_room_for_job(caller.limits, scope)
        quotas.require_storage(caller.limits, scope)
        quotas.require_room_in_database(caller.limits, scope, BYTES_BESIDE)
        dataset = scope.get(Dataset, body.dataset_id, lock=True)
        if dataset is None:
            raise not_found("dataset", body.dataset_id)
        _require_ready(dataset)
        if dataset.modality != modality:
            message = (
                f"Model {model.id} takes items of modality {modality}; those of the dataset are {dataset.modality}."
            )
            raise invalid("wrong_modality", message, "/dataset_id")
        model = models.get(scope, model.id)
        batch = BatchPrediction(
            id=new_id("bat"),
            owner=caller.owner,
            name=body.name,
            meta=body.metadata,
            status="queued",
            model_id=model.id,
            variant=model.result.fallback or "adapted",
            threshold=model.audited_threshold,
            dataset_id=dataset.id,
            item_count=dataset.item_count,
        )
        session.add(batch)
        session.flush()
        enqueue_prediction(session, batch.id)
        document = show_batch(batch)
        on_created(session, document)
    caller.state.publisher.wake()
    return document


def get(scope: Scope, batch_id: str, *, lock: bool = False) -> BatchPrediction:
    """Return the batch prediction; raises 404 ``batch_prediction_not_found``."""
    batch = scope.get(BatchPrediction, batch_id, lock=lock)
    if batch is None:
        raise ApiError(404, "batch_prediction_not_found", f"There is no batch prediction {batch_id!r}.")
    return batch


def read(caller: Caller, batch_id: str) -> BatchPredictionDocument:
    """Return the document as it is now; raises 404 ``batch_prediction_not_found``."""
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        return _show(scope, [get(scope, batch_id)])[0]


def list_batches(caller: Caller, query: BatchPredictionListQuery) -> ListDocument[BatchPredictionDocument]:
    """Return a page of batch predictions, newest first."""
    filters = query.filters(decode_cursor(query.cursor), query.status)
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        rows = repository.list_batches(scope, filters, query.limit + 1)
        documents = {document.id: document for document in _show(scope, rows)}
    return page(rows, query.limit, lambda row: documents[row.id], lambda row: row.id)


def _show(scope: Scope, batches: Sequence[BatchPrediction]) -> list[BatchPredictionDocument]:
    gone = scope.missing(AdaptedModel, [batch.model_id for batch in batches])
    gone |= scope.missing(Dataset, [batch.dataset_id for batch in batches])
    return [show_batch(batch, gone) for batch in batches]


def is_final(document: BatchPredictionDocument) -> bool:
    """Tell whether the batch prediction of that document will not change any more."""
    return document.status in FINAL


def cancel(caller: Caller, batch_id: str) -> BatchPredictionDocument:
    """Stop it for good; a cancelled one stays as it is. Raises 409 ``batch_prediction_already_finished``."""
    with freeing(caller.state.database) as session:
        scope = caller.scope(session)
        batch = get(scope, batch_id, lock=True)
        if batch.status in FINAL and batch.status != "cancelled":
            message = f"The batch prediction has {batch.status} and cannot be cancelled."
            raise conflict("batch_prediction_already_finished", message)
        if batch.status == "queued":
            batch.status, batch.finished_at = "cancelled", utcnow()
        elif batch.status == "running":
            batch.status = "cancelling"
        return _show(scope, [batch])[0]


def delete(caller: Caller, batch_id: str) -> None:
    """Delete an ended one with its predictions; raises 409 ``batch_prediction_not_finished``."""
    with freeing(caller.state.database) as session:
        batch = get(caller.scope(session), batch_id, lock=True)
        if batch.status not in FINAL:
            message = f"The batch prediction is {batch.status}; cancel it, or wait until it has ended."
            raise conflict("batch_prediction_not_finished", message, retry=True)
        predictions = batch.predictions_key
        session.delete(batch)
    if predictions is not None:
        caller.state.storage.discard(predictions)
    (caller.state.settings.log_dir / f"{batch_id}.log").unlink(missing_ok=True)


def predictions_of(caller: Caller, batch_id: str) -> Predictions:
    """Return where the predictions are.

    Raises 409 ``batch_prediction_not_finished`` as long as there may be some, and 404 ``predictions_not_found`` where
    there are none: it failed or was cancelled, or its dataset was deleted.
    """
    with caller.state.database.read() as session:
        batch = get(caller.scope(session), batch_id)
    if batch.status not in FINAL:
        message = f"The batch prediction is {batch.status}; its predictions come with its end."
        raise conflict("batch_prediction_not_finished", message, retry=True)
    if batch.predictions_key is None:
        raise ApiError(404, "predictions_not_found", f"There are no predictions of batch prediction {batch_id}.")
    return Predictions(batch.id, batch.predictions_key, batch.dataset_id, batch.model_id)


def _require_ready(dataset: Dataset) -> None:
    if dataset.status == "uploading":
        raise conflict("dataset_not_finalized", "Finalize the dataset first: POST …/finalize.", retry=True)
    if dataset.status == "ingesting":
        raise conflict("dataset_not_ready", "The dataset is still being ingested; try again.", retry=True)
    if dataset.status == "failed":
        raise conflict("dataset_failed", f"The dataset failed to be ingested: {dataset.error_message}")
