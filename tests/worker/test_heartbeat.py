"""A worker's signs of life, which outlast an outage of the database."""

from __future__ import annotations

import sqlite3
import threading
import time
from typing import Any

import pytest

from store.database import Database, Patience
from store.heartbeats import beat, forget, seen
from store.leases import database_now
from store.tables import Heartbeat
from worker import heartbeat


@pytest.fixture
def beating(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(heartbeat, "EVERY_SECONDS", 0.05)
    stopped = threading.Event()
    own = Database(settings.database_url, Patience(busy=0.05))
    thread = threading.Thread(target=heartbeat.beat_until, args=(stopped, own, "train@host", "train"))
    thread.start()
    yield
    stopped.set()
    thread.join()


def test_a_worker_is_seen_again_and_again_also_after_an_outage(
    beating: None, database: Database, settings: Any, wait_for: Any
) -> None:
    def last() -> Any:
        with database.read() as session:
            row = session.get(Heartbeat, "train@host")
        return None if row is None else row.seen_at

    first = wait_for(last)
    wait_for(lambda: last() > first)
    with sqlite3.connect(settings.data_dir / "pouf.db") as other:
        other.execute("BEGIN IMMEDIATE")  # nobody can write
        time.sleep(0.5)
        other.rollback()
    again = last()
    wait_for(lambda: last() > again)


def test_who_is_gone_for_a_day_is_forgotten(database: Database) -> None:
    with database.write() as session:
        beat(session, "train@one", "train")
        beat(session, "train@two", "train")
        two = session.get_one(Heartbeat, "train@two")
        two.seen_at = two.seen_at.replace(year=2020)
        session.flush()
        assert [row.name for row in seen(session)] == ["train@one"]
        forget(session, database_now(session))
    with database.read() as session:
        assert session.get(Heartbeat, "train@two") is None
