"""What lists of an owner cost, counted in SQLite's own instructions."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from app.jobs.queries import list_jobs
from benchmarks.year import OWNER, SECONDS_A_JOB, fill
from store import scope as scopes
from store.database import Database
from store.scope import Filters, Scope

JOBS = 4000
EARLY = datetime.now(UTC) - timedelta(seconds=0.9 * JOBS * SECONDS_A_JOB)
LATE = datetime.now(UTC) - timedelta(seconds=0.1 * JOBS * SECONDS_A_JOB)
STEP = 10


@pytest.fixture
def database(tmp_path, empty_database_file):
    (tmp_path / "pouf.db").write_bytes(empty_database_file.read_bytes())
    database = Database(f"sqlite:///{tmp_path / 'pouf.db'}")
    fill(database, JOBS)
    yield database
    database.dispose()


@pytest.fixture
def cost(database, monkeypatch) -> Callable[[Filters], tuple[list[str], int]]:
    """The ids that a list shows, and the instructions that it takes."""
    monkeypatch.setattr(scopes, "DISORDER", 50)

    def measured(filters: Filters) -> tuple[list[str], int]:
        taken = 0

        def count() -> None:
            nonlocal taken
            taken += STEP

        with database.read() as session:
            connection = session.connection().connection.dbapi_connection
            connection.set_progress_handler(count, STEP)
            found = [job.id for job in list_jobs(Scope(session, OWNER), filters, None, 100)]
            connection.set_progress_handler(None, 0)
        return found, taken

    return measured


def test_lists_of_a_time_read_no_more_than_lists_of_the_newest(cost):
    newest, plain = cost(Filters())
    assert len(newest) == 100
    early, taken = cost(Filters(created_before=EARLY))
    assert len(early) == 100 and early[0] < newest[-1]
    assert taken < 2 * plain
    assert cost(Filters(created_after=LATE, created_before=LATE + timedelta(seconds=1)))[1] < 2 * plain
