"""In which order jobs of several owners are begun."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from store.database import Database
from store.tables import Job
from store.transitions import lock_job, transition
from tests.migrated_database import DATABASES, migrated_database
from worker.training.queueing import begin


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, settings: Any) -> Iterator[Database]:
    yield from migrated_database(request, settings)


@pytest.fixture
def work(database: Database, get: Any) -> Callable[..., list[str]]:
    """One worker that takes messages in order; the owners of the jobs that it begins and ends."""

    def work(messages: list[str], *, ends: bool = True) -> list[str]:
        begun = []
        for message in messages:
            lease = begin(database, message, "worker", 60)
            if lease is None:
                continue
            begun.append(get(Job, lease.row_id).owner)
            if ends:
                with database.write() as session:
                    transition(session, lock_job(session, lease.row_id), "failed")
        return begun

    return work


def test_owners_take_turns_however_many_jobs_one_of_them_queued(rows: Any, work: Any, get: Any) -> None:
    dataset_id = rows.dataset()
    many = [rows.job(dataset_id=dataset_id, owner="many") for _ in range(4)]
    few = [rows.job(dataset_id=dataset_id, owner="few") for _ in range(2)]
    assert work(many + few) == ["many", "few", "many", "few", "many", "many"]
    assert all(get(Job, job_id).status == "failed" for job_id in many + few)


def test_who_has_jobs_running_waits_for_who_has_none(rows: Any, work: Any) -> None:
    dataset_id = rows.dataset()
    busy = [rows.job(dataset_id=dataset_id, owner="busy") for _ in range(3)]
    assert work(busy[:2], ends=False) == ["busy", "busy"]
    idle = [rows.job(dataset_id=dataset_id, owner="idle") for _ in range(2)]
    assert work(busy[2:] + idle, ends=False) == ["idle", "idle", "busy"]


def test_one_owners_jobs_are_begun_in_the_order_of_their_messages(rows: Any, database: Database) -> None:
    dataset_id = rows.dataset()
    jobs = [rows.job(dataset_id=dataset_id) for _ in range(3)]
    for job_id in reversed(jobs):
        lease = begin(database, job_id, "worker", 60)
        assert lease is not None
        assert lease.row_id == job_id


def test_a_job_that_waits_for_its_dataset_takes_no_turn(rows: Any, database: Database, get: Any) -> None:
    waiting = rows.job(dataset_id=rows.dataset("ingesting"), owner="waiting")
    other = rows.job(owner="other")
    assert begin(database, waiting, "worker", 60) is None
    assert get(Job, waiting).stage == "waiting_for_dataset"
    lease = begin(database, other, "worker", 60)
    assert lease is not None
    assert lease.row_id == other


def test_a_message_that_comes_twice_begins_nothing_when_nothing_waits(rows: Any, database: Database) -> None:
    job_id = rows.job()
    assert begin(database, job_id, "one", 60) is not None
    assert begin(database, job_id, "two", 60) is None
    assert begin(database, "job_gone", "two", 60) is None
