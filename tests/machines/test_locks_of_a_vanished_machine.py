"""What a machine that vanishes in the middle of a transaction had locked."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.machines.network import Network, network, why_no_namespaces
from tests.postgres_server import find_initdb, postgres_server
from tests.waiting import wait_for

#: Sends a statement whose answer comes when the machine is gone: it stays unacknowledged, and keep-alive probes wait
#: behind it.
LOCK_AND_ASK = """
import sys
from sqlalchemy import text
from store.database import Database
with Database(sys.argv[1]).write() as session:
    session.execute(text("SELECT pg_advisory_xact_lock(1)"))
    session.execute(text("SELECT pg_sleep(5)"))
"""
ARE_HELD = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory'"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif((reason := why_no_namespaces()) is not None, reason=str(reason)),
    pytest.mark.skipif(find_initdb() is None, reason="PostgreSQL's server is not installed"),
]


@pytest.fixture
def net() -> Iterator[Network]:
    with network() as net:
        yield net


@pytest.fixture
def database_url(net: Network) -> Iterator[str]:
    initdb = find_initdb()
    assert initdb is not None
    machine = net.add("database")
    with postgres_server(initdb, machine.address, machine.command([])) as url:
        yield url


def test_the_locks_of_a_machine_that_vanishes_before_an_answer_are_soon_free(
    net: Network, database_url: str, tmp_path: Path
) -> None:
    machine = net.add("vanishing")
    log = tmp_path / "log"
    with psycopg.connect(database_url, autocommit=True) as database:

        def held(during: str = "") -> bool:
            found = database.execute(ARE_HELD + during).fetchone()
            return found is not None and found[0] > 0

        machine.start([sys.executable, "-c", LOCK_AND_ASK, database_url], dict(os.environ), log)
        wait_for(lambda: held(" AND query LIKE '%pg_sleep%'"), log.read_text)
        machine.cut_off()
        wait_for(lambda: not held(), log.read_text)
