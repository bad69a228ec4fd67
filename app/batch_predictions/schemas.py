"""Batch predictions: the request and the document."""

from collections.abc import Container
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from app.http.query_parameters import ListQuery
from app.http.schemas import DELETED, METADATA, NAME, Closed, Document, ErrorBody
from store.tables import BatchPrediction

BATCH_STATUS = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]


class BatchPredictionCreate(Closed):
    """The body of a new batch prediction."""

    model: Annotated[str, Field(max_length=64, description="Id or alias of an adapted model.")]
    dataset_id: Annotated[str, Field(max_length=64)]
    name: NAME | None = None
    metadata: METADATA = {}


class BatchPredictionListQuery(ListQuery):
    """Which batch predictions to list."""

    status: BATCH_STATUS | None = None


class BatchProgressDocument(Document):
    """How many items are predicted."""

    step: int
    total_steps: int
    fraction: float


class BatchPredictionDocument(Document):
    """The predictions of a dataset's items by a model: asked for, being made, or there."""

    object: Literal["batch_prediction"]
    id: str
    name: str | None
    metadata: dict[str, str]
    status: BATCH_STATUS
    progress: BatchProgressDocument
    attempt: int
    model_id: str
    model_deleted: DELETED
    dataset_id: str
    dataset_deleted: DELETED
    item_count: int
    error: ErrorBody | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    urls: dict[str, str]


def show_batch(batch: BatchPrediction, gone: Container[str] = ()) -> BatchPredictionDocument:
    """Return the document of a batch prediction; `gone` are ids of deleted models and datasets."""
    done, total = batch.predicted_count, batch.item_count
    return BatchPredictionDocument(
        object="batch_prediction",
        id=batch.id,
        name=batch.name,
        metadata=batch.meta,
        status=batch.status,
        progress=BatchProgressDocument(step=done, total_steps=total, fraction=done / total if total else 1.0),
        attempt=batch.attempt,
        model_id=batch.model_id,
        model_deleted=batch.model_id in gone,
        dataset_id=batch.dataset_id,
        dataset_deleted=batch.dataset_id in gone,
        item_count=total,
        error=ErrorBody.of(batch.error_code, batch.error_message),
        created_at=batch.created_at,
        started_at=batch.started_at,
        finished_at=batch.finished_at,
        urls=_urls(batch, gone),
    )


def _urls(batch: BatchPrediction, gone: Container[str]) -> dict[str, str]:
    """Return links to what there is: a deleted dataset or model has none."""
    url = f"/v1/batch-predictions/{batch.id}"
    urls = {"self": url}
    if batch.model_id not in gone:
        urls["model"] = f"/v1/models/{batch.model_id}"
    if batch.dataset_id not in gone:
        urls["dataset"] = f"/v1/datasets/{batch.dataset_id}"
    urls["cancel"] = f"{url}/cancel"
    if batch.predictions_key is not None:
        urls["predictions"] = f"{url}/predictions"
    return urls
