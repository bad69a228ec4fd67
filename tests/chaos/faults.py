"""The faults: each is a context that injects it on entering and undoes it on leaving."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from http import HTTPStatus

import httpx
import psutil
import psycopg
import redis

from store.disk import is_disk_full
from tests.chaos.logs import LogReader
from tests.chaos.scene import NoTarget, Scene
from tests.chaos.service import ChaosService

HOUR = 3600


#: Yields what is called repeatedly while the fault lasts, to maintain it.
Injection = Callable[[Scene], AbstractContextManager[Callable[[], None]]]


def nothing() -> None:
    """For faults that are injected once."""


def kill(find: Callable[[ChaosService], list[psutil.Process]]) -> Injection:
    """SIGKILL."""

    @contextmanager
    def killed(scene: Scene) -> Iterator[Callable[[], None]]:
        scene.await_one(lambda: find(scene.service)).kill()
        yield nothing

    return killed


def stand_still(find: Callable[[ChaosService], list[psutil.Process]]) -> Injection:
    """SIGSTOP to a process and all its children, then SIGCONT."""

    @contextmanager
    def stopped(scene: Scene) -> Iterator[Callable[[], None]]:
        process = scene.await_one(lambda: find(scene.service))
        stopped = [process, *process.children(recursive=True)]
        for one in stopped:
            _unless_gone(one.suspend)
        try:
            yield nothing
        finally:
            for one in stopped:
                _unless_gone(one.resume)

    return stopped


@contextmanager
def broker_wiped(scene: Scene) -> Iterator[Callable[[], None]]:
    """FLUSHALL: what waits, what was delivered and the queues themselves are forgotten."""
    with redis.Redis.from_url(scene.service.broker.url) as client:
        try:
            client.flushall()
        except redis.RedisError as error:
            raise NoTarget from error
    yield nothing


@contextmanager
def broker_down(scene: Scene) -> Iterator[Callable[[], None]]:
    """The broker is killed, and again whenever it has been started."""

    def kill_again() -> None:
        for process in scene.service.broker_server():
            _unless_gone(process.kill)

    scene.await_one(scene.service.broker_server)
    kill_again()
    yield kill_again


@contextmanager
def broker_full(scene: Scene) -> Iterator[Callable[[], None]]:
    """The broker has reached `maxmemory`, and takes nothing more."""
    with redis.Redis.from_url(scene.service.broker.url) as client:
        try:
            client.config_set("maxmemory", 1)
        except redis.RedisError as error:
            raise NoTarget from error
        try:
            yield nothing
        finally:
            client.config_set("maxmemory", 0)


@contextmanager
def database_locked(scene: Scene) -> Iterator[Callable[[], None]]:
    """SQLite: another process holds the one write lock."""
    connection = sqlite3.connect(scene.database.url.database or "", timeout=30, isolation_level=None)
    try:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise NoTarget from error
        yield nothing
        connection.rollback()
    finally:
        connection.close()


@contextmanager
def connections_cut(scene: Scene) -> Iterator[Callable[[], None]]:
    """PostgreSQL: the server ends every session, and again while the fault lasts."""
    url = scene.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        query = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = user"
        )

        def cut() -> None:
            connection.execute(query)

        cut()
        yield cut


@contextmanager
def connections_taken(scene: Scene) -> Iterator[Callable[[], None]]:
    """PostgreSQL: other programs hold every connection that the service does not, and those that it gives back."""
    url = scene.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with ExitStack() as stack:

        def take() -> None:
            with suppress(psycopg.OperationalError):
                while True:
                    stack.enter_context(psycopg.connect(url))

        take()
        yield take


@contextmanager
def database_silent(scene: Scene) -> Iterator[Callable[[], None]]:
    """PostgreSQL: connections stay open, and nothing comes any more, as behind a broken network."""
    assert scene.proxy is not None
    scene.proxy.silent = True
    try:
        yield nothing
    finally:
        scene.proxy.silent = False


@contextmanager
def storage_away(scene: Scene) -> Iterator[Callable[[], None]]:
    """The directory of the storage is not mounted."""
    storage = scene.service.directory.root / "storage"
    storage.rename(storage.with_name("unmounted"))
    try:
        yield nothing
    finally:
        if storage.exists():  # made by who was about to write; without the mark nothing in it counts
            shutil.rmtree(storage)
        storage.with_name("unmounted").rename(storage)


@contextmanager
def storage_silent(scene: Scene) -> Iterator[Callable[[], None]]:
    """S3: connections stay open, and nothing comes any more."""
    assert scene.storage is not None
    scene.storage.silent = True
    try:
        yield nothing
    finally:
        scene.storage.silent = False


@contextmanager
def host_vanished(scene: Scene) -> Iterator[Callable[[], None]]:
    """Another host is gone while a job runs there, with everything on its disk; an empty one takes its place."""
    host = scene.random.choice(scene.service.hosts)
    scene.await_one(lambda: [each for each in scene.service.job_children() if each in scene.service.on_host(host)])
    gone = scene.service.on_host(host)
    for process in gone:
        _unless_gone(process.kill)
    psutil.wait_procs(gone, timeout=5)
    shutil.rmtree(host)
    yield nothing


#: Whether something has failed because the disk is full; made before the disk is filled.
Failure = Callable[[Scene], Callable[[], bool]]


def disk_full(when: Callable[[Scene], None], failure: Failure) -> Injection:
    """Not one byte is free on the disk of the data directory, from a certain moment on until something has failed for
    it, and a while longer.
    """

    @contextmanager
    def full(scene: Scene) -> Iterator[Callable[[], None]]:
        assert scene.disk is not None
        try:
            scene.disk.nearly_fill()
            when(scene)
            fails = failure(scene)
            scene.disk.fill()
            scene.await_failure(fails, scene.disk.fill)
            yield scene.disk.fill
        finally:
            scene.disk.relieve()

    return full


def told_by(*logs: str) -> Failure:
    """A part of the service writes that there is no space. Logs lie on another disk."""

    def failure(scene: Scene) -> Callable[[], bool]:
        read = LogReader(scene.service.directory.logs, logs)
        return lambda: any(is_disk_full(RuntimeError(line)) for line in read.new_lines())

    return failure


def an_upload(scene: Scene) -> Callable[[], bool]:
    """An upload meets the full disk, and its answer says so."""

    def fails() -> bool:
        files = {"files": ("a.txt", b"A text.\n" * 100_000)}
        try:
            answer = httpx.post(f"{scene.service.url}/v1/datasets", files=files, data={"finalize": "false"}, timeout=10)
        except httpx.TransportError:  # the API may be down, or wait for the database
            return False
        return answer.status_code == HTTPStatus.INSUFFICIENT_STORAGE

    return fails


@contextmanager
def clock_moved(scene: Scene) -> Iterator[Callable[[], None]]:
    """The machine's clock is set to any time within hours, and left there."""
    scene.clock.set(scene.random.randrange(-2 * HOUR, 2 * HOUR))
    yield nothing


def _unless_gone(action: Callable[[], None]) -> None:
    try:
        action()
    except psutil.NoSuchProcess:
        return
