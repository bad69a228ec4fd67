"""Owners whose datasets are ingested side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from store.database import Database
from store.heartbeats import beat
from store.tables import Dataset
from worker.ingestion.run import run_ingestion
from worker.process_context import WorkerContext


@pytest.fixture
def while_ingesting(make_context: Callable[..., WorkerContext], get: Any) -> Callable[..., list[str]]:
    """Ingest the first dataset, and the others by another process meanwhile; their states before the first ends."""

    def ingest(first: str, *others: str) -> list[str]:
        states: list[str] = []

        def others_meanwhile() -> bool:
            if get(Dataset, first).lease_owner is not None and not states:
                for other in others:
                    run_ingestion(make_context("worker-2"), other)
                    states.append(get(Dataset, other).status)
            return False

        run_ingestion(make_context("worker-1"), first, shutdown_requested=others_meanwhile)
        return states

    return ingest


@pytest.mark.parametrize(("content", "ends"), [("good", "ready"), ("bad", "failed")])
def test_an_owner_waits_for_none_but_its_own_datasets(
    while_ingesting: Any, add_dataset: Any, get: Any, outbox: Any, make_picture: Any, content: str, ends: str
) -> None:
    picture = {"a.png": make_picture(1)}
    first = add_dataset(picture if content == "good" else {"a.png": b"no picture"})
    second, third = add_dataset(picture), add_dataset(picture)
    of_another = add_dataset(picture, owner="another")

    assert while_ingesting(first, second, third, of_another) == ["ingesting", "ingesting", "ready"]

    assert get(Dataset, first).status == ends
    assert outbox() == [("pouf.ingest", {"dataset_id": second})]


def test_each_worker_may_ingest_a_dataset_of_an_owner(
    while_ingesting: Any, add_dataset: Any, database: Database, make_picture: Any
) -> None:
    with database.write() as session:
        for name, kind in (("ingest@a", "ingest"), ("all@b", "ingest,notify,train"), ("train@b", "train")):
            beat(session, name, kind)
    first, second = (add_dataset({"a.png": make_picture(1)}) for _ in range(2))
    assert while_ingesting(first, second) == ["ready"]
