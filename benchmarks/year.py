"""A year of use: lists, claims and the reaper over 365,000 jobs, on SQLite and on PostgreSQL.

    python -m benchmarks.year [--jobs 365000] [--json FILE]

A thousand jobs a day with three events each, nine of ten of one owner; 200 wait and 4 run. PostgreSQL is left out where
its server is not installed. Printed in milliseconds: the longest statement's median and 95th of 100, the median of
its computing in this process (of SQLite, all of it), and that of the whole action. Limit: 50 ms for the first.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    String,
    Table,
    case,
    cast,
    event,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.orm import Session

from app.jobs.queries import counts_by_status, list_jobs, queue_positions
from pouf_core.contract.request import AdaptationRequest
from store import job_counts, usage
from store.database import Database, Patience, upgrade
from store.leases import database_now, expired
from store.scope import Filters, Scope
from store.settings import Settings
from store.tables import Dataset, Job, JobEvent
from tests.postgres_server import find_initdb, postgres_server
from worker.reaper.rounds import begin_round, end_round, run_once
from worker.training.queueing import begin

OWNER = "local"
SECONDS_A_JOB = 86.4
WAITING, RUNNING = 200, 4
EVENTS_A_JOB = 3
LIMIT_MS = 50.0
TIMES = 30


def fill(database: Database, jobs: int) -> None:
    """Write the year: the first job by the service's own classes, the others as copies with what differs."""
    with database.write() as session:
        session.add(Dataset(id="ds_0", status="ready", owner=OWNER, modality="image"))
        session.flush()
        request = AdaptationRequest(class_names=[f"class number {number}" for number in range(20)])
        session.add(Job(id="job_template", owner=OWNER, status="succeeded", request=request, dataset_id="ds_0"))
    start = datetime.now(UTC) - timedelta(seconds=SECONDS_A_JOB * jobs)
    first = select(literal(1).label("number")).cte("numbers", recursive=True)
    numbers = first.union_all(select(first.c.number + 1).where(first.c.number < jobs))
    number = numbers.c.number
    at = _times(database, start, number)
    with database.write() as session:
        _copy_jobs(database, session, numbers, at, jobs)
        for seq in range(1, EVENTS_A_JOB + 1):
            values = {
                "id": _ids(database, f"evt_{seq}", number),
                "job_id": _ids(database, "job_", number),
                "seq": literal(seq),
                "type": literal("job.running"),
                "data": literal_column("'{}'"),
                "created_at": at,
            }
            _insert(session, JobEvent, values, numbers)
    job_counts.correct(database)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def _copy_jobs(database: Database, session: Session, numbers: FromClause, at: ColumnElement[Any], jobs: int) -> None:
    number = numbers.c.number
    table: Table = Job.__table__  # type: ignore[assignment]
    waits, runs = number > jobs - WAITING, number > jobs - WAITING - RUNNING
    ended = case((number % 20 == 0, "failed"), (number % 33 == 0, "cancelled"), else_="succeeded")
    other_owner = literal("owner ") + cast(number % 70 / 10, String)
    differs: dict[str, ColumnElement[Any]] = {
        "id": _ids(database, "job_", number),
        "owner": case((number % 10 == 0, other_owner), else_=OWNER),
        "name": literal("run ") + cast(number % 1000, String),
        "status": case((waits, "queued"), (runs, "running"), else_=ended),
        "lease_owner": case((waits, None), (runs, "worker"), else_=None),
        "event_seq": literal(EVENTS_A_JOB),
        "created_at": at,
        "queued_at": at,
        "started_at": case((waits, None), else_=at),
        "updated_at": at,
    }
    far = database_now(session) + timedelta(hours=1)
    expires = case((waits, None), (runs, literal(far, table.c.lease_expires_at.type)), else_=None)
    differs["lease_expires_at"] = expires
    template = table.alias("template")
    values = {column.name: differs.get(column.name, template.c[column.name]) for column in table.columns}
    _insert(session, Job, values, numbers.join(template, template.c.id == "job_template"))


def _insert(session: Session, table: type[Any], values: Mapping[str, ColumnElement[Any]], source: FromClause) -> None:
    session.execute(insert(table).from_select([*values], select(*values.values()).select_from(source)))


def _ids(database: Database, prefix: str, number: ColumnElement[int]) -> ColumnElement[str]:
    if database.is_sqlite:
        return func.printf(f"{prefix}%032d", number)
    return literal(prefix) + func.lpad(cast(number, String), 32, "0")


def _times(database: Database, start: datetime, number: ColumnElement[int]) -> ColumnElement[Any]:
    if database.is_sqlite:
        moved = func.datetime(start.strftime("%Y-%m-%d %H:%M:%S"), cast(number * SECONDS_A_JOB, String) + " seconds")
        return moved + ".000000"
    return literal(start) + number * SECONDS_A_JOB * text("interval '1 second'")


def actions(database: Database, settings: Settings, jobs: int) -> dict[str, Callable[[], object]]:
    """What is measured, by name."""
    month = datetime.now(UTC) - timedelta(days=300)
    middle = f"job_{jobs // 2:032d}"
    lists = {
        "list": Filters(),
        "list of the queued": Filters(status="queued"),
        "list of the failed": Filters(status="failed"),
        "list of a name": Filters(name="run 7"),
        "list from the middle on": Filters(after_id=middle),
        "list of the first months": Filters(created_before=month),
        "list of failed ones of the first months": Filters(status="failed", created_before=month),
    }
    waiting = iter(range(jobs - WAITING + 1, jobs + 1))

    def listed(filters: Filters, dataset_id: str | None = None) -> Callable[[], object]:
        def look() -> object:
            with database.read() as session:
                scope = Scope(session, OWNER)
                found = list_jobs(scope, filters, dataset_id, 100)
                return queue_positions(scope, [job.id for job in found if job.status == "queued"])

        return look

    def reading(query: Callable[[Session], object]) -> Callable[[], object]:
        def look() -> object:
            with database.read() as session:
                return query(session)

        return look

    def claim() -> object:
        lease = begin(database, f"job_{next(waiting):032d}", "worker", 3600)
        assert lease is not None
        return lease

    def round_of_the_reaper() -> None:
        now = begin_round(database, "reaper", settings)
        run_once(database, lambda *_: None, now, settings)
        end_round(database, "reaper")

    return {
        **{name: listed(filters) for name, filters in lists.items()},
        "list of a dataset": listed(Filters(), "ds_0"),
        "claim": claim,
        "leases that have expired": reading(lambda session: expired(session, Job, database_now(session))),
        "round of the reaper, all of it": round_of_the_reaper,
        "quotas of an owner": reading(lambda session: usage.unfinished_jobs(Scope(session, OWNER))),
        "counts by status, for metrics": reading(lambda session: counts_by_status(Scope(session, OWNER))),
    }


class Taken(NamedTuple):
    """Milliseconds by the clock, and of computing in this process, which for SQLite is all of it."""

    clock: float
    computing: float


class Watch:
    """Begins to count when it is made."""

    def __init__(self) -> None:
        self._begun = time.perf_counter(), time.thread_time()

    def taken(self) -> Taken:
        """What has passed since."""
        clock, computing = self._begun
        return Taken(1000 * (time.perf_counter() - clock), 1000 * (time.thread_time() - computing))


class Statements:
    """What the statements take that a database is given; queries are run once more, to their last row."""

    def __init__(self, database: Database) -> None:
        self._engine = database.engine
        self._asked: list[tuple[str, Any]] = []
        self._watch = Watch()
        self._taken: list[Taken] = []
        event.listen(self._engine, "before_cursor_execute", self._before)
        event.listen(self._engine, "after_cursor_execute", self._after)

    def of(self, action: Callable[[], object]) -> Taken:
        """The longest statement of an action."""
        self._asked, self._taken = [], []
        action()
        asked, taken = [*self._asked], [*self._taken]
        with self._engine.connect() as connection:
            for statement, parameters in asked:
                watch = Watch()
                connection.exec_driver_sql(statement, parameters).fetchall()
                taken.append(watch.taken())
        return max(taken)

    def _before(self, *_: object) -> None:
        self._watch = Watch()

    def _after(self, _connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.startswith("SELECT") and "FOR UPDATE" not in statement:
            self._asked.append((statement, parameters))
        else:
            self._taken.append(self._watch.taken())


def measure(url: str, jobs: int) -> dict[str, dict[str, float]]:
    """Milliseconds of each action's longest statement, and of all of it with what Python does."""
    upgrade(url)
    database = Database(url, Patience(answer=3600))
    started = time.monotonic()
    fill(database, jobs)
    print(f"{database.url.get_backend_name()}: {jobs} jobs written in {time.monotonic() - started:.0f} s")
    statements = Statements(database)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), database_url=url, requeue_after_seconds=3600)
        for name, action in actions(database, settings, jobs).items():
            action()
            looks = [statements.of(action) for _ in range(TIMES)]
            longest = sorted(look.clock for look in looks)
            figures = {"median": statistics.median(longest), "p95": longest[int(0.95 * TIMES)]}
            figures["computing_median"] = statistics.median(look.computing for look in looks)
            figures["action_median"] = statistics.median(_timed(action) for _ in range(TIMES))
            found[name] = {kind: round(value, 2) for kind, value in figures.items()}
            over = "" if found[name]["median"] <= LIMIT_MS else "   over the limit"
            print(f"  {name:<42}" + "".join(f"{value:>9.2f}" for value in found[name].values()) + f" ms{over}")
    database.dispose()
    return found


def _timed(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - begun)


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """The URLs of empty ones."""
    initdb = find_initdb()
    with tempfile.TemporaryDirectory(prefix="pouf-year-") as folder:
        urls = {"sqlite": f"sqlite:///{folder}/pouf.db"}
        if initdb is None:
            yield urls
            return
        with postgres_server(initdb) as url:
            yield urls | {"postgresql": url}


def main() -> int:
    """Print the figures; 0 when all are within the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=365_000)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    with databases() as urls:
        found = {name: measure(url, chosen.jobs) for name, url in urls.items()}
    if chosen.json:
        machine = {"machine": platform.machine(), "cpus": os.cpu_count(), "load": os.getloadavg()}
        record = {"date": str(date.today()), "hardware": machine, "jobs": chosen.jobs, "milliseconds": found}
        chosen.json.write_text(json.dumps(record, indent=2) + "\n")
    return int(any(each["median"] > LIMIT_MS for of in found.values() for each in of.values()))


if __name__ == "__main__":
    raise SystemExit(main())
