"""Owners whose datasets are ingested side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from store.database import Database
from store.heartbeats import beat
from store.tables import Dataset
from worker.ingestion import turns
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


@pytest.fixture
def takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONG_AFTER", 0.0)


@pytest.fixture
def running_long(add_dataset: Any) -> Callable[[str], str]:
    """A dataset of an owner whose ingestion takes long and is under way in another process."""

    def begin(owner: str) -> str:
        dataset_id: str = add_dataset({}, owner=owner, ingests_long=True, lease_owner="worker-9")
        return dataset_id

    return begin


def end(database: Database, dataset_id: str) -> None:
    """End an ingestion."""
    with database.write() as session:
        dataset = session.get_one(Dataset, dataset_id)
        dataset.status, dataset.lease_owner = "ready", None
        turns.wake_next(session, dataset)


@pytest.mark.usefixtures("takes_long")
def test_the_last_process_is_left_for_datasets_that_take_a_moment(
    context: WorkerContext,
    database: Database,
    add_dataset: Any,
    get: Any,
    outbox: Any,
    running_long: Any,
    make_picture: Any,
) -> None:
    first, _ = running_long("first"), running_long("second")
    third = add_dataset({"a.png": make_picture(1)}, owner="third")

    run_ingestion(context, third, processes=3)
    given_back = get(Dataset, third)
    run_ingestion(context, third, processes=3)

    assert (given_back.status, given_back.ingests_long) == ("ingesting", True)
    assert get(Dataset, third).status == "ingesting"
    end(database, first)
    assert outbox() == [("pouf.ingest", {"dataset_id": third})] * 2
    run_ingestion(context, third, processes=3)
    assert get(Dataset, third).status == "ready"


@pytest.mark.usefixtures("takes_long")
@pytest.mark.parametrize(("processes", "running"), [(3, 1), (1, 0), (4, 2)])
def test_a_dataset_that_takes_long_goes_on_where_a_place_is_left(
    context: WorkerContext,
    add_dataset: Any,
    get: Any,
    running_long: Any,
    make_picture: Any,
    processes: int,
    running: int,
) -> None:
    for owner in range(running):
        running_long(f"owner {owner}")
    dataset = add_dataset({"a.png": make_picture(1)}, owner="another")
    run_ingestion(context, dataset, processes=processes)
    assert get(Dataset, dataset).status == "ready"


def test_an_owner_whose_dataset_waits_since_it_takes_long_has_had_its_turn(
    context: WorkerContext, add_dataset: Any, get: Any, make_picture: Any
) -> None:
    add_dataset({}, owner="slow", ingests_long=True)
    next_of_slow, of_another = (add_dataset({"a.png": make_picture(1)}, owner=owner) for owner in ("slow", "another"))
    for dataset in (next_of_slow, of_another):
        run_ingestion(context, dataset, processes=3)
    assert (get(Dataset, next_of_slow).status, get(Dataset, of_another).status) == ("ingesting", "ready")
