"""`pouf up`: every part of the service as child processes of one supervisor."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType

from cli import CommandError
from cli.addresses import base_url, free_port, port_is_free, why_not_ready
from cli.broker import EmbeddedBroker, prepare_broker
from cli.data_directory import START_FAILURE_LINES, DataDirectory, tail
from cli.processes import Child, Service, end_marked_processes
from cli.services import services, visible_gpus
from cli.users import closed_to_users
from store.setting_names import variable_of
from store.settings import Settings, get_settings
from store.settings_at_start import WrongSettings, read_settings
from store.shutdown_times import STOP_MARGIN_SECONDS

POLL_SECONDS = 0.2
READY_POLL_SECONDS = 0.3
BROKER_START_SECONDS = 600.0  # on a busy machine
BROKER_STOP_SECONDS = 10.0
EARLY_FAILURES = 3  # a part that dies so often before the service was ever ready will not come up


class Supervisor:
    """Starts the children in order, restarts those that die, and stops them in order. Runs in the main thread."""

    def __init__(
        self,
        settings: Settings,
        directory: DataDirectory,
        say: Callable[[str], None],
        unused: Callable[[], bool] | None = None,
    ) -> None:
        self._settings = settings
        self._unused = unused
        self._directory = directory
        self._say = say
        self._url = base_url(settings.host, settings.port)
        self._broker: Child | None = None
        self._children: list[Child] = []
        # Plain flags: a signal handler that sets a threading.Event can deadlock with the wait that it interrupts.
        self._stopping = False
        self._stop_now = False
        self._ready = False

    def run(self) -> None:
        """Serve until SIGINT, SIGTERM or SIGHUP, or until the service is unused.

        Raises:
            CommandError: the service did not come up; everything started has been stopped.
        """
        with self._signals():
            try:
                self._start()
                self._watch()
            finally:
                self._shut_down()

    def _start(self) -> None:
        if left := end_marked_processes(self._directory.root, self._stop_seconds):
            self._say(f"Ended {left} process(es) that an earlier run had left")
        migrate(self._settings)
        check_keys(self._settings)
        if self._settings.redis_url is None:
            self._start_broker(prepare_broker(self._directory.broker))
        environment = self._shared_environment()
        gpus = visible_gpus(self._settings.device)
        for service in services(self._settings, gpus, temporary=self._unused is not None):
            child = self._child(Service(service.name, service.command, {**environment, **service.environment}))
            self._children.append(child)
            child.start()
        threading.Thread(target=self._wait_until_ready, daemon=True).start()

    def _start_broker(self, broker: EmbeddedBroker) -> None:
        self._broker = self._child(broker.service())
        self._broker.start()
        deadline = time.monotonic() + BROKER_START_SECONDS
        while not broker.answers():
            if not self._broker.running() or time.monotonic() > deadline:
                raise CommandError(f"The message broker did not start:\n{tail(self._broker.log)}")
            time.sleep(0.05)
        self._settings = self._settings.model_copy(update={"redis_url": broker.url})

    def _child(self, service: Service) -> Child:
        return Child(service, self._directory.root, self._directory.log_file(service.name))

    def _shared_environment(self) -> dict[str, str]:
        return {
            "POUF_DATA_DIR": str(self._directory.root),
            "POUF_HOST": self._settings.host,
            "POUF_PORT": str(self._settings.port),
            "POUF_DATABASE_URL": self._settings.database_url,
            "POUF_STORAGE_URL": self._settings.storage_url,
            "POUF_REDIS_URL": self._settings.redis_url or "",
            "POUF_KEY_PEPPER_FILE": str(self._settings.pepper_file),
        }

    def _wait_until_ready(self) -> None:
        while not self._stopping:
            if why_not_ready(self._url) is None:
                self._ready = True
                self._say(f"Ready on {self._url} (documentation: {self._url}/docs). Ctrl-C stops it.")
                return
            time.sleep(READY_POLL_SECONDS)

    def _watch(self) -> None:
        while not self._stopping and not (self._unused and self._unused()):
            time.sleep(POLL_SECONDS)
            for child in self._all():
                if line := child.restart_when_due():
                    self._say(f"{line}; log: {child.log}")
                if not self._ready and child.failures >= EARLY_FAILURES:
                    raise CommandError(
                        f"{child.name} does not start; log: {child.log}\n{tail(child.log, START_FAILURE_LINES)}"
                    )

    def _all(self) -> list[Child]:
        return [*([self._broker] if self._broker else []), *self._children]

    @property
    def _stop_seconds(self) -> float:
        """A worker may need its own grace for a job, then time to store its checkpoint and give the lease back."""
        return self._settings.cancel_grace_seconds + STOP_MARGIN_SECONDS

    def _shut_down(self) -> None:
        """The API, workers and reaper together, then the broker that they talk to, then whatever is still there."""
        self._stopping = True
        self._end(self._children, self._stop_seconds)
        if self._broker:
            self._end([self._broker], BROKER_STOP_SECONDS)
        end_marked_processes(self._directory.root, grace_seconds=0)

    def _end(self, children: list[Child], seconds: float) -> None:
        for child in children:
            child.ask_to_stop()
        deadline = time.monotonic() + seconds
        while any(child.running() for child in children):
            if self._stop_now or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        for child in children:
            child.kill()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def asked(number: int, frame: FrameType | None) -> None:
            self._stop_now = self._stopping
            self._stopping = True

        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # as nohup has it for SIGHUP
                signal.signal(number, asked)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def up(settings: Settings, say: Callable[[str], None], *, until_unused: bool = False) -> None:
    """Run the service on `settings` until a signal ends it, or with `until_unused` nobody uses it (`cli.users`).

    Raises:
        CommandError: the data directory or the port is taken, or a part does not start.
    """
    check_paths(settings)
    if settings.port == 0:
        settings = settings.model_copy(update={"port": free_port(settings.host)})
    directory = DataDirectory(settings.data_dir)
    directory.create()
    with (
        contextlib.ExitStack() as closed,  # to users, until the directory is free again
        directory.locked(base_url(settings.host, settings.port), until_unused=until_unused),
    ):
        check_port(settings.host, settings.port)
        say(f"Starting (data: {directory.root}, logs: {directory.logs})")
        unused = partial(closed_to_users, directory.root, closed) if until_unused else None
        Supervisor(settings, directory, say, unused).run()
    say("Stopped")


def migrate(settings: Settings) -> None:
    """Bring the database to the present schema.

    Raises:
        SQLAlchemyError, CommandError: it cannot be reached or changed.
    """
    from store.database import upgrade

    try:
        upgrade(settings.database_url)
    except OSError as error:
        raise CommandError(f"The database cannot be used: {error}") from error


def check_keys(settings: Settings) -> None:
    """Refuse an address that others reach while there are no API keys, and keys that could not be checked.

    Raises:
        CommandError: says what to do.
    """
    from app.keys.startup import UnsafeStart, prepare_keys
    from store.database import Database

    database = Database.of(settings)
    try:
        prepare_keys(settings, database)
    except UnsafeStart as error:
        raise CommandError(str(error)) from error
    finally:
        database.dispose()


def check_port(host: str, port: int) -> None:
    """Refuse a port that cannot be listened on, before anything has started."""
    try:
        free = port_is_free(host, port)
    except OSError as error:
        raise CommandError(f"Cannot listen on {host}:{port}: {error.strerror}.") from error
    if not free:
        raise CommandError(f"Port {port} on {host} is taken. Stop what listens there, or choose another with --port.")


def check_paths(settings: Settings) -> None:
    """Refuse relative paths in URLs: the children run in another folder."""
    if settings.database_url.startswith("sqlite:///") and not settings.database_url.startswith("sqlite:////"):
        raise CommandError("POUF_DATABASE_URL needs an absolute path: sqlite:////folder/file.db (four slashes).")
    if settings.storage_url.startswith("file://") and not settings.storage_url.startswith("file:///"):
        raise CommandError("POUF_STORAGE_URL needs an absolute path: file:///folder (three slashes).")


def settings_with(**chosen: object) -> Settings:
    """The settings of the environment, with what the command line chose (None: not chosen) put over them.

    Raises:
        CommandError: a setting makes no sense.
    """
    for name, value in chosen.items():
        if value is not None:
            os.environ[variable_of(name)] = str(value)
    get_settings.cache_clear()
    try:
        return read_settings()
    except WrongSettings as error:
        raise CommandError(str(error)) from error


def say(line: str) -> None:
    """One line to the console, at once even into a pipe; lost where that is a file on a full disk."""
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
