"""Leases, on SQLite and on PostgreSQL where its server is installed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from store.clock import utcnow
from store.database import Database
from store.leases import Lease, LeaseLost, claim_dataset, claim_job, expire, expired, fenced, release, renew
from store.tables import BatchPrediction, Dataset, Job
from store.transitions import transition
from tests.migrated_database import DATABASES, migrated_database
from tests.waiting import WAIT_SECONDS


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, settings: Any) -> Iterator[Database]:
    yield from migrated_database(request, settings)


@pytest.fixture
def job_id(database: Database, add_ready_dataset: Any, add_job: Any) -> str:
    return add_job(add_ready_dataset(0))


def claim_in_process(url: str, job_id: str, owner: str, barrier: Any, winners: Any) -> None:
    database = Database(url)
    barrier.wait()
    with database.write() as session:
        if claim_job(session, job_id, owner, utcnow(), 60) is not None:
            winners.put(owner)
    database.dispose()


def test_of_many_processes_that_claim_a_job_exactly_one_wins(database: Database, job_id: str, get: Any) -> None:
    processes = multiprocessing.get_context("fork")
    barrier, winners = processes.Barrier(3), processes.Queue()
    url = database.url.render_as_string(hide_password=False)
    workers = [
        processes.Process(target=claim_in_process, args=(url, job_id, f"worker-{index}", barrier, winners))
        for index in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(WAIT_SECONDS)
        assert worker.exitcode == 0
    winner = winners.get(timeout=WAIT_SECONDS)
    assert winners.empty()
    job = get(Job, job_id)
    assert (job.lease_owner, job.fence, job.attempt) == (winner, 1, 1)


@pytest.mark.parametrize("table", [Job, Dataset, BatchPrediction])
def test_leases_that_ran_out_are_found_without_reading_every_row(database: Database, table: Any) -> None:
    statements: list[Any] = []
    event.listen(database.engine, "before_cursor_execute", lambda *call: statements.append(call[2:4]))
    with database.read() as session:
        expired(session, table, utcnow())
        if not database.is_sqlite:
            session.execute(text("SET enable_seqscan = off"))  # few rows are read faster without an index
        ((statement, values),) = [found for found in statements if "lease_expires_at" in found[0]]
        explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
        plan = session.connection().exec_driver_sql(f"{explain} {statement}", values).all()
    assert f"ix_{table.__tablename__}_lease_expires_at" in str(plan)


@pytest.fixture
def claim(database: Database, job_id: str) -> Callable[[str], Lease[Job] | None]:
    def claim(owner: str) -> Lease[Job] | None:
        with database.write() as session:
            return claim_job(session, job_id, owner, utcnow(), 60)

    return claim


def take_away(database: Database, lease: Lease[Any]) -> Any:
    with database.write() as session:
        return expire(session, lease.table, lease.row_id, utcnow() + timedelta(seconds=61))


def test_a_claimed_job_cannot_be_claimed_again(claim: Any) -> None:
    assert claim("one").fence == 1
    assert claim("two") is None


def test_a_job_that_is_not_queued_cannot_be_claimed(database: Database, job_id: str, claim: Any) -> None:
    with database.write() as session:
        transition(session, session.get_one(Job, job_id), "cancelled")
    assert claim("one") is None


def test_a_stale_holder_can_neither_write_nor_renew_nor_release(database: Database, claim: Any) -> None:
    stale = claim("one")
    assert take_away(database, stale) is not None
    current = claim("two")
    assert current.fence == 2
    for attempt in (
        lambda session: fenced(session, stale),
        lambda session: renew(session, stale, utcnow(), 60),
        lambda session: release(session, stale),
    ):
        with pytest.raises(LeaseLost), database.write() as session:
            attempt(session)
    with database.write() as session:
        assert fenced(session, current).lease_owner == "two"


def test_the_same_owner_with_an_old_fence_is_stale_too(database: Database, claim: Any) -> None:
    stale = claim("one")
    take_away(database, stale)
    claim("one")
    with pytest.raises(LeaseLost), database.write() as session:
        fenced(session, stale)


def test_a_renewed_lease_does_not_expire(database: Database, job_id: str, claim: Any) -> None:
    lease = claim("one")
    later = utcnow() + timedelta(seconds=50)
    with database.write() as session:
        renew(session, lease, later, 60)
    with database.read() as session:
        assert job_id not in expired(session, Job, later + timedelta(seconds=59))
        assert job_id in expired(session, Job, later + timedelta(seconds=61))
    with database.write() as session:
        assert expire(session, Job, job_id, later) is None


def test_an_expired_lease_is_revoked_once(database: Database, claim: Any) -> None:
    lease = claim("one")
    assert take_away(database, lease).lease_owner is None
    assert take_away(database, lease) is None


def test_a_released_dataset_can_be_claimed_and_counts_as_never_claimed(
    database: Database, add_ready_dataset: Any, get: Any
) -> None:
    dataset_id = add_ready_dataset(0, status="ingesting")
    with database.write() as session:
        lease = claim_dataset(session, dataset_id, "one", utcnow(), 60)
    assert lease is not None
    with database.write() as session:
        release(session, lease)
    assert get(Dataset, dataset_id).fence == 0
    with database.write() as session:
        assert claim_dataset(session, dataset_id, "two", utcnow(), 60) is not None
