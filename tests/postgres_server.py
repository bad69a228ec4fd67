"""A real PostgreSQL server of our own for the length of a `with` block."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.waiting import WAIT_SECONDS


def find_initdb() -> Path | None:
    """PostgreSQL's `initdb`, beside which its server lies; None where the server is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1] if found else Path(on_path) if on_path else None


@contextmanager
def postgres_server(
    initdb: Path, host: str = "127.0.0.1", inside: Sequence[str] = (), options: Sequence[str] = ()
) -> Iterator[str]:
    """Start a server with an empty database on a private port of `host`; yields its URL.

    `inside` is what its command begins with where it runs on another machine, of a test's own network; `options` are
    settings of the server, `name=value`.
    """
    # it refuses to run as root
    account = "nobody" if os.geteuid() == 0 else None
    as_account = ["setpriv", f"--reuid={account}", "--clear-groups"] if inside and account else []
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
        with Path(data, "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet trust\n")
        port = free_port()
        command = [*inside, *as_account, str(initdb.parent / "postgres"), "-D", data, "-p", str(port)]
        command += ["-c", f"listen_addresses={host}", "-c", "unix_socket_directories=", "-c", "fsync=off"]
        command += [argument for option in options for argument in ("-c", option)]
        user = None if as_account else account
        with subprocess.Popen(command, user=user, cwd=folder, stderr=subprocess.DEVNULL) as server:
            try:
                url = f"postgresql://pouf@{host}:{port}/postgres"
                _wait_for_postgres(url)
                yield url
            finally:
                server.send_signal(signal.SIGINT)  # SIGTERM would wait for every client to leave


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_postgres(url: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
