"""Batch predictions over HTTP: a dataset predicted by a model that was adapted before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from pouf_client.blocking import blocking, blocking_iterator
from pouf_client.connection import Connection, checked_id, path_to
from pouf_client.display import facts
from pouf_client.errors import JobFailed
from pouf_client.predictions import AsyncDatasetPredictions, DatasetPredictions
from pouf_client.resources import FINAL_JOB_STATUSES
from pouf_client.results import CodedMessage, Document, stated
from pouf_client.waiting import until_final


@dataclass(frozen=True)
class BatchPrediction:
    """The predictions of a dataset's items by a model; `step` of `total_steps` items are done."""

    id: str
    name: str | None
    status: str
    attempt: int
    model_id: str
    dataset_id: str
    item_count: int
    step: int
    total_steps: int
    error: CodedMessage | None
    raw: Document

    @classmethod
    def of(cls, raw: Document) -> BatchPrediction:
        return cls(
            id=raw["id"],
            name=raw.get("name"),
            status=raw["status"],
            attempt=raw["attempt"],
            model_id=raw["model_id"],
            dataset_id=raw["dataset_id"],
            item_count=raw["item_count"],
            step=raw["progress"]["step"],
            total_steps=raw["progress"]["total_steps"],
            error=raw.get("error"),
            raw=raw,
        )

    @property
    def final(self) -> bool:
        """Whether it will not change any more."""
        return self.status in FINAL_JOB_STATUSES

    def _repr_html_(self) -> str:
        done = f"{self.step:,} of {self.total_steps:,}"
        shown = {"name": self.name, "status": self.status, "items": done, "model": self.model_id}
        return facts(f"Batch prediction {self.id}", shown | {"error": self.error["message"] if self.error else None})


class AsyncBatchPredictions(AsyncDatasetPredictions):
    """`client.batch_predictions` of an `AsyncClient`."""

    _collection = "batch-predictions"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
        self, model: str, dataset_id: str, *, name: str | None = None, metadata: Mapping[str, str] | None = None
    ) -> BatchPrediction:
        """Ask for the predictions of every item of a dataset.

        Args:
            model: a model's id or an alias.
            dataset_id: what to predict; it must be ready.
            name, metadata: shown in lists; at most 16 pairs.

        Raises:
            ApiError: the service refused.
        """
        body: Document = {
            "model": checked_id(model, "model"),
            "dataset_id": checked_id(dataset_id, "dataset"),
            "name": name,
        }
        body["metadata"] = dict(metadata or {})
        return BatchPrediction.of(await self._connection.request("POST", path_to(self._collection), json=stated(body)))

    async def get(self, batch_id: str) -> BatchPrediction:
        """One of them."""
        return BatchPrediction.of(await self._connection.request("GET", path_to(self._collection, batch_id)))

    def list(self, *, name: str | None = None, status: str | None = None) -> AsyncIterator[BatchPrediction]:
        """All of them, newest first."""
        pages = self._connection.pages(path_to(self._collection), name=name, status=status)
        return (BatchPrediction.of(raw) async for raw in pages)

    async def cancel(self, batch_id: str) -> BatchPrediction:
        """Ask one to stop; it is `cancelled` soon after."""
        return BatchPrediction.of(await self._connection.request("POST", path_to(self._collection, batch_id, "cancel")))

    async def delete(self, batch_id: str) -> None:
        """Delete one that has ended, with its predictions."""
        await self._connection.request("DELETE", path_to(self._collection, batch_id))

    async def wait(
        self,
        batch_id: str,
        *,
        timeout: float | None = 3600.0,
        on_progress: Callable[[BatchPrediction], None] | None = None,
        progress: bool = False,
    ) -> BatchPrediction:
        """Return one when it has succeeded; arguments and errors as for `Jobs.wait`."""

        async def read(seconds: int) -> BatchPrediction:
            path = path_to(self._collection, batch_id)
            return BatchPrediction.of(await self._connection.request("GET", path, wait=seconds))

        batch = await until_final(self._connection, read, timeout=timeout, on_progress=on_progress, progress=progress)
        if batch.status != "succeeded":
            raise JobFailed(batch.id, batch.status, batch.error)
        return batch


class BatchPredictions(DatasetPredictions[AsyncBatchPredictions]):
    """`client.batch_predictions`."""

    create = blocking(AsyncBatchPredictions.create)
    get = blocking(AsyncBatchPredictions.get)
    list = blocking_iterator(AsyncBatchPredictions.list)
    cancel = blocking(AsyncBatchPredictions.cancel)
    delete = blocking(AsyncBatchPredictions.delete)
    wait = blocking(AsyncBatchPredictions.wait)
