"""A consistent copy of the database in one file, and the way back."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, create_engine, text

from store.database import Database

#: Reads the copied moment.
Read = Callable[[Connection], Sequence[str]]


class DatabaseCopyFailed(Exception):
    """The database cannot be copied; the message says why."""


def copy_out(database: Database, target: Path, read: Read) -> Sequence[str]:
    """Write the database to `target`, replacing it, and return what `read` finds in that same moment of it."""
    target.unlink(missing_ok=True)
    return _sqlite_out(database, target, read) if database.is_sqlite else _postgres_out(database, target, read)


def copy_in(database: Database, source: Path) -> None:
    """Fill an empty database from a file that `copy_out` wrote."""
    if database.is_sqlite:
        _sqlite_in(database, source)
    else:
        _run("pg_restore", database, "--no-owner", "--single-transaction", "--exit-on-error", str(source))


def _sqlite_out(database: Database, target: Path, read: Read) -> Sequence[str]:
    with closing(sqlite3.connect(_sqlite_path(database))) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)
        # one file, without a log beside it
        copy.execute("PRAGMA journal_mode=DELETE")
    engine = create_engine(f"sqlite:///{target}")
    try:
        with engine.connect() as connection:
            return read(connection)
    finally:
        engine.dispose()


def _sqlite_in(database: Database, source: Path) -> None:
    database.dispose()
    with closing(sqlite3.connect(source)) as copy, closing(sqlite3.connect(_sqlite_path(database))) as live:
        copy.backup(live)


def _sqlite_path(database: Database) -> str:
    path = database.url.database
    if not path:
        raise DatabaseCopyFailed("A database in memory cannot be copied.")
    return path


def _postgres_out(database: Database, target: Path, read: Read) -> Sequence[str]:
    with database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
        _run("pg_dump", database, "--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--file={target}")
        return read(connection)


def _run(program: str, database: Database, *arguments: str) -> None:
    executable = _find(program)
    url = database.url
    # the password goes by the environment: every user of the machine can read command lines
    environment = {**os.environ, "PGPASSWORD": url.password or ""}
    options = [f"--dbname={url.database}", f"--host={url.host or 'localhost'}", f"--port={url.port or 5432}"]
    options += [f"--username={url.username}"] if url.username else []
    ran = subprocess.run(
        [executable, *options, "--no-password", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        raise DatabaseCopyFailed(f"{program} failed: {ran.stderr.strip()}")


def _find(program: str) -> str:
    beside_servers = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    found = str(beside_servers[-1]) if beside_servers else shutil.which(program)
    if found is None:
        raise DatabaseCopyFailed(f"{program} is not installed (Debian: apt install postgresql-client).")
    return found
