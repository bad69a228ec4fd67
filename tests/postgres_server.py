"""A real PostgreSQL server of our own for the length of a `with` block."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

START_SECONDS = 30.0


def find_initdb() -> Path | None:
    """PostgreSQL's `initdb`, beside which its server lies; None where the server is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1] if found else Path(on_path) if on_path else None


@contextmanager
def postgres_server(initdb: Path) -> Iterator[str]:
    """Start a server with an empty database on a private port; yields its URL."""
    # it refuses to run as root
    account = "nobody" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="pouf-postgres-") as folder:
        if account:
            shutil.chown(folder, account)
        data = f"{folder}/data"
        subprocess.run(
            [str(initdb), "-D", data, "-U", "pouf", "--auth=trust", "-N"],
            check=True,
            user=account,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        port = free_port()
        command = [str(initdb.parent / "postgres"), "-D", data, "-p", str(port), "-c", "unix_socket_directories="]
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
