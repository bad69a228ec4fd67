"""Predictions of a whole dataset, read in pages or saved as a file."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypedDict, TypeVar, Unpack, cast

from pouf_client.audits import Measured
from pouf_client.blocking import Blocking, blocking, blocking_iterator
from pouf_client.connection import Connection, path_to


class ItemPrediction(TypedDict):
    """What is served for one item of a dataset.

    `label` is None below the threshold, `text` and `text_pair` are the beginnings of texts, `changed` tells whether the
    class is another than the base model's own, `zero_shot_label`, and `action` is `accept` or `review`.
    """

    name: str
    sha256: str
    text: str | None
    text_pair: str | None
    label: str | None
    probability: float
    runner_up: str
    runner_up_probability: float
    margin: float
    zero_shot_label: str
    changed: bool
    action: str


class ComparedJob(TypedDict):
    """A compared job; accuracy and its 95 % interval are of the labelled items."""

    id: str
    model_id: str | None
    accuracy: float | None
    interval: list[float] | None


class ComparedLabel(TypedDict):
    """The most probable class by one of the jobs."""

    label: str
    probability: float


class DifferingItem(TypedDict):
    """An item of which two jobs say different classes; `predictions` are in the order of the jobs."""

    name: str
    sha256: str
    text: str | None
    text_pair: str | None
    predictions: list[ComparedLabel]


class ComparisonByAnswers(TypedDict):
    """What people's answers to an audit say of both jobs, over all items: each one's accuracy, and their difference."""

    audit_id: str
    answers: int
    accuracies: list[Measured]
    difference: Measured


class JobComparison(TypedDict):
    """Two jobs over one dataset: the share of items of which both say the same class, and the accuracy of the second
    less that of the first, with a 95 % interval, as far as items are labelled. `differing` are the first of the items
    on which they differ, those of which both are surest.
    """

    dataset_id: str
    item_count: int
    agreement: float
    differing_count: int
    labelled_count: int
    jobs: list[ComparedJob]
    difference: float | None
    difference_interval: list[float] | None
    by_answers: ComparisonByAnswers | None
    differing: list[DifferingItem]


class PredictionFilters(TypedDict, total=False):
    """Which predictions, and in which order.

    `changed`: those that the adaptation changed, or the others; `below`: those with a smaller probability; `label`:
    those of one class; `sort`: `dataset`, or `margin` for the closest first.
    """

    changed: bool
    below: float
    label: str
    sort: str


class AsyncDatasetPredictions:
    """The methods of what has predictions of a dataset."""

    _connection: Connection
    _collection: str

    def predictions(self, resource_id: str, **filters: Unpack[PredictionFilters]) -> AsyncIterator[ItemPrediction]:
        """The predictions of each item, by default in the order of the dataset.

        Raises:
            ApiError: there are none, or not yet.
        """
        return cast(AsyncIterator[ItemPrediction], self._connection.pages(self._url(resource_id), **_query(filters)))

    async def save_predictions(
        self,
        resource_id: str,
        target: str | Path,
        *,
        format: str = "csv",
        raw: bool = False,
        **filters: Unpack[PredictionFilters],
    ) -> Path:
        """Save the predictions as a file, and return its path.

        Args:
            resource_id: the job's or batch prediction's.
            target: the file.
            format: `csv`, `jsonl`, `parquet`, `label_studio` or `huggingface`.
            raw: leave cells of CSV that look like formulas as they are, without an apostrophe before them.
            filters: as for `predictions`.

        Raises:
            ApiError: there are none, or not yet.
            Unreachable: the answer was cut short; nothing is at `target`.
        """
        query = {**_query(filters), "format": format, **({"raw": "true"} if raw else {})}
        return await self._connection.save(self._url(resource_id), query, target)

    def _url(self, resource_id: str) -> str:
        return path_to(self._collection, resource_id, "predictions")


C = TypeVar("C", bound=AsyncDatasetPredictions)


class DatasetPredictions(Blocking[C]):
    """The same, blocking."""

    predictions = blocking_iterator(AsyncDatasetPredictions.predictions)
    save_predictions = blocking(AsyncDatasetPredictions.save_predictions)


def _query(filters: PredictionFilters) -> dict[str, str]:
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in filters.items()}
