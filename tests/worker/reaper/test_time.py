"""Leases end by the database's clock, whatever those of the hosts say, and outlast times when nobody could renew."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from store.database import Database
from store.heartbeats import REAPER, beat, last_seen
from store.leases import Lease, claim_job, database_now, renew
from store.tables import Heartbeat, Job
from store.transitions import lock_job, transition
from tests.chaos.clock import MovableClock
from tests.migrated_database import DATABASES, migrated_database
from worker.reaper.rounds import begin_round, end_round, run_once


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, settings: Any) -> Iterator[Database]:
    yield from migrated_database(request, settings)


@pytest.fixture
def running_job(database: Database, add_ready_dataset: Any, add_job: Any) -> Callable[[float], str]:
    """A running job whose lease ends so many seconds from now."""

    def make(seconds: float) -> str:
        job_id = add_job(add_ready_dataset(0))
        with database.write() as session:
            assert claim_job(session, job_id, "one", database_now(session), seconds) is not None
            transition(session, lock_job(session, job_id), "running", "training")
        return job_id

    return make


def test_a_reaper_whose_clock_is_ahead_revokes_no_lease_that_is_good(
    database: Database, running_job: Any, get: Any, tmp_path: Path, wait_for: Any
) -> None:
    job_id, dead = running_job(60), running_job(-1)
    clock = MovableClock(tmp_path / "clock")
    clock.set(120)
    environment = {
        **os.environ,
        **clock.environment,
        "POUF_DATA_DIR": str(tmp_path),
        "POUF_DATABASE_URL": database.url.render_as_string(hide_password=False),
        "POUF_REAPER_INTERVAL": "0.1",
        "POUF_REDIS_URL": "redis://127.0.0.1:1/0",
    }
    with subprocess.Popen([sys.executable, "-m", "worker.reaper"], env=environment) as reaper:
        try:
            wait_for(lambda: get(Job, dead).status == "queued")
        finally:
            reaper.terminate()
    assert get(Job, job_id).status == "running"
    with database.read() as session:
        assert last_seen(session, REAPER) is not None


def test_a_lease_is_renewed_by_the_databases_clock(database: Database, running_job: Any, get: Any) -> None:
    job_id = running_job(1)
    with database.write() as session:
        job = session.get_one(Job, job_id)
        lease = Lease(Job, job.id, "one", job.fence)
        before = database_now(session)
        renew(session, lease, database_now(session), 60)
    expires_at = get(Job, job_id).lease_expires_at
    assert timedelta(0) <= expires_at - before - timedelta(seconds=60) < timedelta(seconds=5)


def test_what_could_not_be_renewed_while_the_database_was_away_gets_its_time_once_more(
    database: Database, running_job: Any, settings: Any, broker: Any, get: Any
) -> None:
    held, dead = running_job(-5), running_job(-60)
    with database.write() as session:
        beat(session, "reaper@host", REAPER)
        session.get_one(Heartbeat, "reaper@host").seen_at = database_now(session) - timedelta(seconds=50)
    now = begin_round(database, "reaper@host", settings)
    run_once(database, broker.send, now, settings)
    assert get(Job, held).status == "running"
    assert get(Job, dead).status == "queued"
    # a holder that is really gone has its lease revoked later
    later = now + timedelta(seconds=settings.lease_seconds + 1)
    run_once(database, broker.send, later, settings)
    assert get(Job, held).status == "queued"


def test_rounds_that_take_long_keep_no_dead_lease_alive(
    database: Database, running_job: Any, settings: Any, broker: Any, get: Any
) -> None:
    job_id = running_job(-1)
    begin_round(database, "reaper@host", settings)
    with database.write() as session:  # the round takes a minute
        session.get_one(Heartbeat, "reaper@host").seen_at -= timedelta(seconds=60)
    end_round(database, "reaper@host")
    run_once(database, broker.send, begin_round(database, "reaper@host", settings), settings)
    assert get(Job, job_id).status == "queued"


def test_a_reaper_that_looks_all_the_time_spares_nothing(
    database: Database, running_job: Any, settings: Any, broker: Any, get: Any
) -> None:
    job_id = running_job(-1)
    for _ in range(2):
        begin_round(database, "reaper@host", settings)
    run_once(database, broker.send, begin_round(database, "reaper@host", settings), settings)
    assert get(Job, job_id).status == "queued"
    with database.read() as session:
        assert [row.name for row in session.scalars(select(Heartbeat))] == ["reaper@host"]
