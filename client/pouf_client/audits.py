"""Audits over HTTP: some items of a job, reviewed by people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

from pouf_client.blocking import Blocking, blocking, blocking_iterator
from pouf_client.connection import Connection, path_to
from pouf_client.display import rows
from pouf_client.results import Document, stated


class AuditItem(TypedDict):
    """A drawn item: what was predicted when it was drawn, and what people say.

    `part` is `random` or `suspected`, `status` one of `unanswered`, `answered`, `none_of_these`, `cant_tell` and
    `disputed`, and `answer` the class that people agree on.
    """

    name: str
    sha256: str
    text: str | None
    text_pair: str | None
    thumbnail_url: str | None
    label: str
    probability: float
    runner_up: str
    zero_shot_label: str
    adapted_label: str
    changed: bool
    part: str
    inclusion_probability: float
    status: str
    answer: str | None


class Measured(TypedDict):
    """An estimate over all items of the dataset by so many answers, with a 90 % interval."""

    value: float
    interval: tuple[float, float]
    answers: int


class MeasuredClass(Measured):
    """Of the items that were given the class `label`, the share that is right."""

    label: str


class MeasuredThreshold(Measured):
    """The accuracy of the share of items that is `answered` at a threshold."""

    threshold: float
    answered: float


class AuditEstimate(TypedDict):
    """What the answers measure. Where no `threshold` reaches the wished accuracy, `more_answers` may."""

    answers: int
    zero_shot: Measured
    adapted: Measured
    difference: Measured
    classes: list[MeasuredClass]
    wished_accuracy: float
    threshold: MeasuredThreshold | None
    more_answers: int | None


class Proposal(TypedDict):
    """What the answers propose; `differs` tells whether it is other than what holds now."""

    verdict: str
    served_variant: str
    threshold: float | None
    differs: bool


class AnswerGiven(TypedDict):
    """What somebody says of an item, named by `sha256` or name: a `label`, or as `answer` `none_of_these` or
    `cant_tell`.
    """

    item: str
    label: NotRequired[str]
    answer: NotRequired[str]
    person: NotRequired[str]


@dataclass(frozen=True)
class Audit:
    """Items of a job drawn for review; `items` is empty in lists, `estimate` None while answers say nothing."""

    id: str
    job_id: str
    size: int
    counts: dict[str, int]
    items: list[AuditItem]
    estimate: AuditEstimate | None
    proposal: Proposal | None
    raw: Document

    @classmethod
    def of(cls, raw: Document) -> Audit:
        return cls(
            id=raw["id"],
            job_id=raw["job_id"],
            size=raw["size"],
            counts=raw["counts"],
            items=raw.get("items", []),
            estimate=raw["estimate"],
            proposal=raw["proposal"],
            raw=raw,
        )

    def _repr_html_(self) -> str:
        answered = f"{self.counts['answered']:,} of {self.size:,} answered"
        shown = [(one["name"], one["text"], one["label"], one["probability"], one["answer"]) for one in self.items]
        return rows(f"Audit {self.id}: {answered}", ("name", "text", "label", "probability", "answer"), shown)


class AsyncAudits:
    """`client.audits` of an `AsyncClient`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(
        self,
        job_id: str,
        size: int,
        *,
        suspected: int | None = None,
        seed: int | None = None,
        wished_accuracy: float | None = None,
    ) -> Audit:
        """Draw items for people to look at.

        Args:
            job_id: a job that has succeeded.
            size: how many items.
            suspected: how many of them are chosen among those that are most likely wrong; None: a fifth.
            seed: the same draws the same items; None: chosen at random.
            wished_accuracy: what a threshold is to reach; None: that of the job.

        Raises:
            ApiError: the service refused.
        """
        body = {"size": size, "suspected": suspected, "seed": seed, "wished_accuracy": wished_accuracy}
        return Audit.of(await self._connection.request("POST", _path(job_id), json=stated(body)))

    async def get(self, job_id: str, audit_id: str) -> Audit:
        """One audit, with what the answers measure so far."""
        return Audit.of(await self._connection.request("GET", _path(job_id, audit_id)))

    def list(self, job_id: str) -> AsyncIterator[Audit]:
        """A job's audits, newest first, without their items."""
        return (Audit.of(raw) async for raw in self._connection.pages(_path(job_id)))

    async def delete(self, job_id: str, audit_id: str) -> None:
        """Delete an audit and its answers."""
        await self._connection.request("DELETE", _path(job_id, audit_id))

    async def answer(
        self, job_id: str, audit_id: str, answers: Sequence[AnswerGiven], *, person: str | None = None
    ) -> Audit:
        """Give answers, all or none. The later answer of one person to an item counts.

        Raises:
            ApiError: an item was not drawn, or a label is no class; `errors` names each.
        """
        body = stated({"answers": list(answers), "person": person})
        return Audit.of(await self._connection.request("PUT", _path(job_id, audit_id, "answers"), json=body))

    async def answer_from(self, job_id: str, audit_id: str, file: str | Path) -> Audit:
        """Give the answers of a file: `.csv` with the columns `item`, `label` and, if wanted, `person`, or `.json` as
        Label Studio exports it.

        Raises:
            ApiError: as `answer`.
        """
        path = Path(file)
        media_type = "text/csv" if path.suffix.lower() == ".csv" else "application/json"
        content = (media_type, path.read_bytes())
        return Audit.of(await self._connection.request("PUT", _path(job_id, audit_id, "answers"), content=content))

    def answers(self, job_id: str, audit_id: str) -> AsyncIterator[Document]:
        """All answers in the order in which they came; of a person's answers to an item the last `counts`."""
        return self._connection.pages(_path(job_id, audit_id, "answers"))

    async def save_answers(self, job_id: str, audit_id: str, target: str | Path) -> Path:
        """Save all answers as CSV, and return the path."""
        return await self._connection.save(_path(job_id, audit_id, "answers"), {"format": "csv"}, target)

    async def confirm(self, job_id: str, audit_id: str, *, threshold: bool = False) -> Audit:
        """Apply the proposed verdict and served variant, and the proposed threshold where that is asked for.

        Raises:
            ApiError: nothing is proposed.
        """
        body: Document = {"threshold": threshold}
        return Audit.of(await self._connection.request("POST", _path(job_id, audit_id, "confirm"), json=body))


def _path(job_id: str, *parts: str) -> str:
    return path_to("jobs", job_id, "audits", *parts)


class Audits(Blocking[AsyncAudits]):
    """`client.audits`."""

    create = blocking(AsyncAudits.create)
    get = blocking(AsyncAudits.get)
    list = blocking_iterator(AsyncAudits.list)
    delete = blocking(AsyncAudits.delete)
    answer = blocking(AsyncAudits.answer)
    answer_from = blocking(AsyncAudits.answer_from)
    answers = blocking_iterator(AsyncAudits.answers)
    save_answers = blocking(AsyncAudits.save_answers)
    confirm = blocking(AsyncAudits.confirm)
