"""A whole service as users start it, `pouf up`, with times of seconds, and its processes by what they do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from cli.addresses import LOOPBACK, base_url, free_port, why_not_ready
from cli.broker import EmbeddedBroker
from cli.data_directory import DataDirectory, tail
from cli.processes import Child, Service, end_marked_processes, marked_processes
from cli.services import celery_command
from cli.temporary_service import stop
from cli.tether import tethered

TICK_SECONDS = 0.1
READY_SECONDS = 600.0  # on a machine that is busy with other tests

#: Minutes become seconds. A job here loses more attempts in a row than one whose machine merely fails now and then,
#: so the cap on those is higher than by default; the report says how many there were.
QUICK = {
    "POUF_DEVICE": "cpu",
    "POUF_THREADS": "1",
    "POUF_LEASE_SECONDS": "8",
    "POUF_LEASE_RENEW_SECONDS": "2",
    "POUF_REAPER_INTERVAL": "1",
    "POUF_OUTBOX_INTERVAL": "1",
    "POUF_REQUEUE_AFTER_SECONDS": "5",
    "POUF_CHECKPOINT_INTERVAL_SECONDS": "0.2",
    "POUF_PROGRESS_TIMEOUT": "60",
    "POUF_LOAD_TIMEOUT": "180",
    "POUF_CANCEL_GRACE_SECONDS": "10",
    "POUF_DATABASE_ANSWER_SECONDS": "3",
    "POUF_DATABASE_CONNECT_SECONDS": "3",
    "POUF_IDEMPOTENCY_IN_FLIGHT_SECONDS": "10",
    "POUF_MAX_LOST_ATTEMPTS": "30",
    "POUF_MIN_FREE_BYTES": "0",  # a full disk is to be met here, not kept away from
}


class ServiceDied(Exception):
    """The supervisor itself has ended, which no fault asks of it."""


class ChaosService:
    """A running service. Its second train worker, if any, is restarted here, as the supervisor restarts the first."""

    def __init__(
        self,
        directory: DataDirectory,
        url: str,
        supervisor: subprocess.Popen[bytes],
        extra: list[Child],
        hosts: Sequence[Path],
    ) -> None:
        self.directory = directory
        self.url = url
        self._supervisor = supervisor
        self._extra = extra
        #: The data directories of train workers that are on other hosts.
        self.hosts = hosts

    def wait(self, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Let time pass, in which what died is started again."""
        deadline = time.monotonic() + seconds
        while True:
            self.tick()
            meanwhile()
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(TICK_SECONDS, left))

    def tick(self) -> None:
        """Raises `ServiceDied`."""
        if self._supervisor.poll() is not None:
            raise ServiceDied(tail(self.directory.log_file("up"), 40))
        for child in self._extra:
            child.restart_when_due()

    @property
    def broker(self) -> EmbeddedBroker:
        known = json.loads((self.directory.broker / "broker.json").read_text())
        return EmbeddedBroker(self.directory.broker, known["port"], known["password"])

    def api(self) -> list[psutil.Process]:
        return self._found(lambda command, _: "uvicorn" in command)

    def broker_server(self) -> list[psutil.Process]:
        return self._found(lambda command, _: any(word.endswith("valkey.conf") for word in command))

    def job_children(self) -> list[psutil.Process]:
        template = "worker.training.template"  # whose copies jobs' processes are
        return self._found(
            lambda command, parent: "worker.training.child" in command or (template in command and template in parent)
        )

    def train_workers(self) -> list[psutil.Process]:
        """Celery's main processes."""
        return self._found(lambda command, parent: _celery(command, "train") and not _celery(parent, "train"))

    def train_pools(self) -> list[psutil.Process]:
        """The processes that Celery's main ones run tasks in; each is the parent of a job's process."""
        return self._found(lambda command, parent: _celery(command, "train") and _celery(parent, "train"))

    def ingest_workers(self) -> list[psutil.Process]:
        return self._found(lambda command, _: _celery(command, "ingest"))

    def reaper(self) -> list[psutil.Process]:
        return self._found(lambda command, _: "worker.reaper" in command)

    def on_host(self, host: Path) -> list[psutil.Process]:
        """Everything that runs on another host."""
        return [each for each in marked_processes(self.directory.root) if _data_dir(each) == str(host)]

    def _found(self, wanted: Callable[[list[str], list[str]], bool]) -> list[psutil.Process]:
        found = []
        for process in marked_processes(self.directory.root):
            try:
                parent = process.parent()
                if wanted(process.cmdline(), parent.cmdline() if parent else []):
                    found.append(process)
            except psutil.Error:  # gone while looking
                continue
        return found


@contextmanager
def chaos_service(
    data_dir: Path,
    *,
    database_url: str | None,
    train_workers: int,
    environment: Mapping[str, str],
    hosts: Path | None = None,
) -> Iterator[ChaosService]:
    """Run `pouf up` over `data_dir` with `train_workers` workers that train; all has ended when the block ends.

    All workers but the first have a folder each in `hosts` as their data directory, if it is given.
    """
    directory = DataDirectory(data_dir)
    directory.create()
    port = free_port(LOOPBACK)
    url = base_url(LOOPBACK, port)
    variables = {**QUICK, **environment}
    if database_url:
        variables["POUF_DATABASE_URL"] = database_url
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("POUF_")}
    options = ["--host", LOOPBACK, "--port", str(port), "--data-dir", str(directory.root)]
    with directory.log_file("up").open("ab") as output:
        supervisor = subprocess.Popen(
            tethered([sys.executable, "-m", "cli.main", "up", *options]),
            env={**inherited, **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    extra: list[Child] = []
    names = [f"train-{number}" for number in range(2, train_workers + 1)]
    elsewhere = {name: hosts / name for name in names} if hosts else {}
    service = ChaosService(directory, url, supervisor, extra, list(elsewhere.values()))
    try:
        _wait_until_ready(service)
        variables = {"POUF_DATABASE_URL": f"sqlite:///{directory.root / 'pouf.db'}", **variables}
        variables["POUF_REDIS_URL"] = service.broker.url
        for name in names:
            own = {"POUF_DATA_DIR": str(elsewhere.get(name, directory.root))}
            worker = Service(name, celery_command(name, "train"), variables | own)
            extra.append(Child(worker, directory.root, directory.log_file(name)))
            extra[-1].start()
        yield service
    finally:
        for child in extra:
            child.ask_to_stop()
        stop(supervisor)
        end_marked_processes(directory.root, grace_seconds=5)


def _wait_until_ready(service: ChaosService) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while reason := why_not_ready(service.url):
        service.tick()
        if time.monotonic() > deadline:
            raise TimeoutError(f"The service is not ready: {reason}")
        time.sleep(0.3)


def _data_dir(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("POUF_DATA_DIR")
    except psutil.Error:  # gone while looking
        return None


def _celery(command: list[str], queues: str) -> bool:
    return "worker.celery_app" in command and queues in command
