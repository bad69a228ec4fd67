"""What happens when PostgreSQL is slow, or says nothing at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from store.database import Database, DatabaseReadOnly, Patience
from store.outages import is_outage
from tests.silent_proxy import SilentProxy


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[SilentProxy]:
    url = make_url(postgres_url)
    with SilentProxy(url.host or "", url.port or 0) as proxy:
        yield proxy


@pytest.fixture
def impatient(postgres_url: str, proxy: SilentProxy) -> Iterator[Database]:
    url = make_url(postgres_url).set(port=proxy.port).render_as_string(hide_password=False)
    database = Database(url, Patience(connect=2, answer=0.5))
    yield database
    database.dispose()


@pytest.fixture
def other(postgres_url: str) -> Iterator[Database]:
    database = Database(postgres_url)
    yield database
    database.dispose()


def ask(database: Database, statement: str = "SELECT 1") -> None:
    """Ask until that fails by an outage; without a limit of its own it would outlast the test."""
    with pytest.raises(OperationalError) as failure, database.read() as session:
        session.execute(text(statement))
    assert is_outage(failure.value)


def test_a_statement_that_takes_too_long_is_ended_by_the_server(impatient: Database) -> None:
    ask(impatient, "SELECT pg_sleep(600)")
    with impatient.read() as session:
        assert session.execute(text("SELECT 1")).scalar_one() == 1


def test_a_server_that_falls_silent_is_given_up_and_found_again_later(
    impatient: Database, proxy: SilentProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.postgres.MARGIN", 0.5)
    with impatient.read() as session:
        session.execute(text("SELECT 1"))
    proxy.silent = True
    ask(impatient)
    proxy.silent = False
    with impatient.read() as session:
        assert session.execute(text("SELECT 1")).scalar_one() == 1


def test_a_server_that_accepts_and_says_nothing_is_given_up(impatient: Database, proxy: SilentProxy) -> None:
    proxy.silent = True
    ask(impatient)


def test_the_locks_of_a_process_that_stops_in_the_middle_of_a_transaction_are_freed(
    impatient: Database, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.postgres.MARGIN", 0.0)
    lock = text("SELECT pg_advisory_xact_lock(1)")
    freed = False
    with pytest.raises(DBAPIError) as failure, impatient.write() as stopped:
        stopped.execute(lock)
        with other.write() as session:
            session.execute(lock)
            freed = True
        stopped.execute(text("SELECT 1"))
    assert freed
    assert is_outage(failure.value)


def test_a_server_that_may_not_be_written_to_is_an_outage_that_is_told_until_it_is_over(
    impatient: Database, other: Database
) -> None:
    def set_read_only(value: str) -> None:
        with other.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SET default_transaction_read_only = off"))
            name = other.url.database
            connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {value}'))

    def write() -> None:
        with impatient.write() as session:
            session.execute(text("CREATE TABLE IF NOT EXISTS jobs (id int)"))
            session.execute(text("INSERT INTO jobs VALUES (1)"))

    write()
    impatient.ping()
    impatient.dispose()
    set_read_only("on")
    for _ in range(2):
        with pytest.raises(DBAPIError) as failure:
            write()
        assert is_outage(failure.value)
        with pytest.raises(DatabaseReadOnly):
            impatient.ping()
    set_read_only("off")  # for connections that are made from now on
    impatient.ping()
    write()
