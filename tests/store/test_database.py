"""The store on SQLite and on PostgreSQL."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError, StatementError

from pouf_core.contract.request import AdaptationRequest
from store.database import Database, parse_url, upgrade
from store.ids import new_id
from store.tables import Base, Dataset, Job, JobEvent
from store.transitions import append_event, lock_job, start_life
from tests.waiting import WAIT_SECONDS


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def database(url):
    upgrade(url)
    database = Database(url)
    yield database
    database.dispose()


def add_dataset(database: Database) -> str:
    dataset = Dataset(id=new_id("ds"), owner="o", modality="image", status="ready")
    with database.write() as session:
        session.add(dataset)
    return dataset.id


def add_job(database: Database) -> str:
    job = Job(
        id=new_id("job"),
        owner="o",
        request=AdaptationRequest(class_names=["a", "b"]),
        dataset_id=add_dataset(database),
    )
    with database.write() as session:
        start_life(session, job)
    return job.id


def test_migrations_give_exactly_the_tables_of_the_models(database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_upgrading_again_keeps_what_is_there(url, database):
    dataset_id = add_dataset(database)
    upgrade(url)
    with database.read() as session:
        assert session.get(Dataset, dataset_id) is not None


def test_several_processes_may_upgrade_at_once(tmp_path):
    url = f"sqlite:///{tmp_path}/fresh/pouf.db"
    command = [sys.executable, "-c", f"from store.database import upgrade; upgrade({url!r})"]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    assert [(process.communicate()[1], process.returncode) for process in processes] == [(b"", 0)] * 3


def test_a_block_that_raises_changes_nothing(database):
    with pytest.raises(RuntimeError, match="no"), database.write() as session:
        session.add(Dataset(id="ds_lost", owner="o", modality="image", status="ready"))
        session.flush()
        raise RuntimeError("no")
    with database.read() as session:
        assert session.get(Dataset, "ds_lost") is None


def test_times_come_back_in_utc_and_naive_ones_are_refused(database):
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    dataset_id = add_dataset(database)
    with database.write() as session:
        session.get_one(Dataset, dataset_id).ready_at = moment
    with database.read() as session:
        assert session.get_one(Dataset, dataset_id).ready_at == moment
    with pytest.raises(StatementError, match="naive"), database.write() as session:
        session.get_one(Dataset, dataset_id).ready_at = datetime(2026, 1, 1)


def test_events_written_at_the_same_time_are_numbered_without_gaps(database):
    job_id = add_job(database)

    def write(_: int) -> None:
        with database.write() as session:
            append_event(session, lock_job(session, job_id), "note")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    with database.read() as session:
        events = session.query(JobEvent).filter_by(job_id=job_id).order_by(JobEvent.seq).all()
        assert [event.seq for event in events] == list(range(1, 42))
        assert session.get_one(Job, job_id).event_seq == 41


def test_a_reader_is_not_blocked_by_a_writer(database):
    dataset_id = add_dataset(database)
    writing, done = threading.Event(), threading.Event()

    def write() -> None:
        with database.write() as session:
            session.get_one(Dataset, dataset_id).name = "new"
            session.flush()
            writing.set()
            done.wait(WAIT_SECONDS)

    thread = threading.Thread(target=write)
    thread.start()
    assert writing.wait(WAIT_SECONDS)
    with database.read() as session:
        assert session.get_one(Dataset, dataset_id).name is None
    done.set()
    thread.join()
    with database.read() as session:
        assert session.get_one(Dataset, dataset_id).name == "new"


def test_rows_with_dangling_foreign_keys_are_refused(database):
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(JobEvent(id=new_id("evt"), job_id="job_none", seq=1, type="x", data={}))


def test_ids_made_later_sort_later():
    ids = [new_id("x") for _ in range(1000)]
    assert ids == sorted(set(ids))


def test_plain_postgres_urls_use_psycopg():
    assert parse_url("postgresql://host/db").drivername == "postgresql+psycopg"
    assert parse_url("postgres://host/db").drivername == "postgresql+psycopg"
    assert parse_url("sqlite:///x.db").drivername == "sqlite"
