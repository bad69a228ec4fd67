"""Batch predictions over HTTP: a dataset predicted by a model that was adapted before."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pouf_client.connection import Connection
from pouf_client.errors import ClientError, JobFailed
from pouf_client.predictions import DatasetPredictions
from pouf_client.resources import FINAL_JOB_STATUSES, CodedMessage
from pouf_client.results import Document

POLL_SECONDS = 0.5


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


class BatchPredictions(DatasetPredictions):
    """`client.batch_predictions`."""

    _path = "/v1/batch-predictions"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
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
        body: Document = {"model": model, "dataset_id": dataset_id, "metadata": dict(metadata or {})}
        if name is not None:
            body["name"] = name
        return BatchPrediction.of(self._connection.request("POST", self._path, json=body))

    def get(self, batch_id: str) -> BatchPrediction:
        """One of them."""
        return BatchPrediction.of(self._connection.request("GET", f"{self._path}/{batch_id}"))

    def list(self, *, name: str | None = None, status: str | None = None) -> Iterator[BatchPrediction]:
        """All of them, newest first."""
        return (BatchPrediction.of(raw) for raw in self._connection.pages(self._path, name=name, status=status))

    def cancel(self, batch_id: str) -> BatchPrediction:
        """Ask one to stop; it is `cancelled` soon after."""
        return BatchPrediction.of(self._connection.request("POST", f"{self._path}/{batch_id}/cancel"))

    def delete(self, batch_id: str) -> None:
        """Delete one that has ended, with its predictions."""
        self._connection.request("DELETE", f"{self._path}/{batch_id}")

    def wait(self, batch_id: str, *, timeout: float = 3600.0) -> BatchPrediction:
        """Return one when it has succeeded.

        Raises:
            JobFailed: it ended without success.
            ClientError: it took more than `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while not (batch := self.get(batch_id)).final:
            if time.monotonic() > deadline:
                raise ClientError(f"{batch_id} is still {batch.status} after {timeout:g} s")
            time.sleep(POLL_SECONDS)
        if batch.status != "succeeded":
            code, message = (batch.error["code"], batch.error["message"]) if batch.error else (None, None)
            raise JobFailed(batch.id, batch.status, code, message)
        return batch
