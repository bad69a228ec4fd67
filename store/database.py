"""Sessions over SQLite or PostgreSQL."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from store.private_files import create_sqlite_file, mend_sqlite_files

if TYPE_CHECKING:
    from store.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"
BEGIN_RETRY_SECONDS = 0.05
UPGRADE_ATTEMPTS = 10
# PostgreSQL's codes: one of those who wait for each other's tables is told to begin anew; nothing may be written
_DEADLOCK = "40P01"
_READ_ONLY = "25006"
# Alembic keeps its context in module globals.
_MIGRATION_LOCK = threading.Lock()


class DatabaseReadOnly(Exception):
    """The server answers, and lets nothing be written."""


@dataclass(frozen=True)
class Patience:
    """How long, in seconds, a database may take: to accept a connection (PostgreSQL), to answer a statement
    (PostgreSQL), to let others' writes end (SQLite).
    """

    connect: float = 10.0
    answer: float = 60.0
    busy: float = 20.0


class Database:
    """The database behind `url`; sessions are for one unit of work and one thread."""

    def __init__(self, url: str | URL, patience: Patience = Patience()) -> None:
        self.url = parse_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _create_engine(self.url, patience)
        self._patience = patience

    @classmethod
    def of(cls, settings: Settings, most_busy_seconds: float = math.inf) -> Database:
        """The database that the settings name, with their time limits.

        Args:
            settings: of the service.
            most_busy_seconds: how long others' writes may be waited for, whatever the settings say.
        """
        busy = min(settings.database_busy_seconds, most_busy_seconds)
        patience = Patience(settings.database_connect_seconds, settings.database_answer_seconds, busy)
        return cls(settings.database_url, patience)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a session over one consistent snapshot; nothing it changes is kept."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self, *, wait: bool = True) -> Iterator[Session]:
        """Yield a session whose changes are committed at the end, or rolled back when the block raises.

        On SQLite the write lock is taken at the start, so that what the block reads is what it changes; without `wait`
        another's lock is an `OperationalError` at once.
        """
        busy = self._patience.busy if wait else 0.0
        with Session(self.engine.execution_options(pouf_write=busy), expire_on_commit=False) as session:
            self._begin(session, time.monotonic() + busy)
            with _committed(session):
                yield session

    def _begin(self, session: Session, until: float) -> None:
        """Begin; SQLite does not wait for every kind of lock by itself."""
        while True:
            try:
                session.connection()
                return
            except OperationalError as error:
                session.rollback()
                locked = self.is_sqlite and "locked" in str(error)
                if not locked or time.monotonic() >= until:
                    raise
                time.sleep(BEGIN_RETRY_SECONDS)

    def ping(self) -> None:
        """Raise unless jobs can be read, and nothing says that they cannot be written."""
        with self.read() as session:
            session.execute(text("SELECT 1 FROM jobs LIMIT 1"))
            writable = self.is_sqlite or session.execute(text("SHOW transaction_read_only")).scalar_one() == "off"
        if not writable:
            self.dispose()  # another server may have its place by now
            raise DatabaseReadOnly("the database is read-only: a replica, or set so")

    def give_space_back(self) -> None:
        """Let SQLite shrink its file to what it holds; everybody else waits meanwhile."""
        connection = self.engine.raw_connection()
        try:
            connection.cursor().execute("VACUUM")
        finally:
            connection.close()

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


@contextmanager
def _committed(session: Session) -> Iterator[None]:
    try:
        yield
    except BaseException:
        session.rollback()
        raise
    session.commit()


def parse_url(url: str | URL) -> URL:
    """Return the SQLAlchemy URL, with psycopg as the driver of a plain ``postgresql://`` one."""
    parsed = make_url(url)
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed


def upgrade(url: str | URL, revision: str = "head") -> None:
    """Bring the database behind `url` to a migration, the newest by default, creating what is missing.

    Safe to call from several threads and processes at once, and while the service runs: the migrations run under locks
    in one transaction, which begins anew after a deadlock with the service's own.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        create_sqlite_file(Path(parsed.database))
        mend_sqlite_files(Path(parsed.database))
    if revision == "head" and _is_newest(parsed):
        return
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = parsed
    patiently = Retrying(
        retry=retry_if_exception(_is_deadlock),
        stop=stop_after_attempt(UPGRADE_ATTEMPTS),
        wait=wait_random_exponential(max=5),
        reraise=True,
    )
    with _MIGRATION_LOCK:
        patiently(command.upgrade, config, revision)


def _is_deadlock(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and _has_code(error.orig, _DEADLOCK)


def _has_code(error: BaseException | None, code: str) -> bool:
    return getattr(error, "sqlstate", None) == code


def missing_file(url: str) -> Path | None:
    """The file of an SQLite database that is not there: `Database` would make an empty one."""
    parsed = parse_url(url)
    path = Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None
    return None if path is None or path.exists() else path


def schema_is_newest(database: Database) -> bool:
    """Whether no migration is left to do; nothing is changed."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == _newest_revision()


def _is_newest(url: URL) -> bool:
    database = Database(url)
    try:
        return schema_is_newest(database)
    finally:
        database.dispose()


@cache
def _newest_revision() -> str | None:
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()  # which loads every migration


def _create_engine(url: URL, patience: Patience) -> Engine:
    if url.get_backend_name() != "sqlite":
        return _create_postgres_engine(url, patience)
    engine = create_engine(url, pool_size=10, max_overflow=40, connect_args={"timeout": patience.busy})
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        event.listen(engine, "connect", lambda *_: mend_sqlite_files(Path(url.database or "")))
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", partial(_begin_sqlite, patience.busy))
    return engine


def _create_postgres_engine(url: URL, patience: Patience) -> Engine:
    from store import postgres  # its driver is an extra

    arguments = postgres.connect_arguments(patience.connect, patience.answer)
    options = {name: value for name, value in arguments.items() if name not in url.query}
    engine = create_engine(
        url, pool_size=10, max_overflow=30, pool_pre_ping=True, pool_timeout=patience.connect, connect_args=options
    )

    def connect(_dialect: Any, _record: Any, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return postgres.connect(patience.answer, tuple(given), named)

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "handle_error", _leave_read_only)
    return engine


def _leave_read_only(context: ExceptionContext) -> None:
    """Take a server that may not be written to for one that is away: another one may have its place by now."""
    if _has_code(context.original_exception, _READ_ONLY):
        context.is_disconnect = True


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself: `_begin_sqlite` decides their kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(busy_seconds: float, connection: Connection) -> None:
    wait = connection.get_execution_options().get("pouf_write")
    connection.exec_driver_sql(f"PRAGMA busy_timeout={int(1000 * (busy_seconds if wait is None else wait))}")
    connection.exec_driver_sql("BEGIN" if wait is None else "BEGIN IMMEDIATE")
