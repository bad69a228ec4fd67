"""One supervised child process, and finding what an earlier supervisor left behind."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from cli.data_directory import rotate
from cli.tether import tethered
from store.private_files import append_to_log

MARKER = "POUF_SUPERVISED_BY"
FIRST_RESTART_SECONDS = 0.5
LONGEST_RESTART_SECONDS = 30.0
STEADY_SECONDS = 60.0


@dataclass(frozen=True)
class Service:
    """What to run: a name (also its log's), a command and what its environment adds to ours."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Child:
    """A service as a process of ours, in a session of its own, so that a Ctrl-C in the terminal reaches only us."""

    def __init__(self, service: Service, directory: Path, log: Path) -> None:
        self.name = service.name
        self.log = log
        self.failures = 0
        self._service = service
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._restart_at: float | None = None

    def start(self) -> None:
        """Start the process; its output goes to the log. Only from the main thread (see `cli.tether`)."""
        environment = {**os.environ, **self._service.environment, MARKER: str(self._directory)}
        with append_to_log(self.log) as output:
            self._process = subprocess.Popen(
                tethered(list(self._service.command)),
                # The service's own folder: a package called `app` where the user stands must not shadow ours.
                cwd=self._directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started_at = time.monotonic()
        self._restart_at = None

    @property
    def pid(self) -> int:
        """The process id. Only after `start`."""
        assert self._process is not None
        return self._process.pid

    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def restart_when_due(self) -> str | None:
        """Notice a death and, after a growing pause, start again; keep the log small.

        What the machine lacks meanwhile, such as space or processes, ends nothing: it is tried again.

        Returns a line to tell the user, or None.
        """
        with contextlib.suppress(OSError):  # a log that cannot be set aside grows on
            rotate(self.log)
        if self.running():
            return None
        if self._restart_at is None:
            return self._plan_restart()
        if time.monotonic() < self._restart_at:
            return None
        try:
            self.start()
        except OSError as error:
            return f"{self.name} cannot be started ({error}); trying again in {self._pause():g} s"
        return f"{self.name} started again (process {self.pid})"

    def _plan_restart(self) -> str:
        if time.monotonic() - self._started_at > STEADY_SECONDS:
            self.failures = 0
        assert self._process is not None
        ended = exit_text(self._process.returncode)
        return f"{self.name} ended ({ended}); starting it again in {self._pause():g} s"

    def _pause(self) -> float:
        """Seconds until the next start, which grow with every failure."""
        pause: float = min(LONGEST_RESTART_SECONDS, FIRST_RESTART_SECONDS * 2**self.failures)
        self.failures += 1
        self._restart_at = time.monotonic() + pause
        return pause

    def ask_to_stop(self) -> None:
        """SIGTERM to the process itself, which ends its own children in its own order."""
        if self.running():
            assert self._process is not None
            self._process.terminate()

    def kill(self) -> None:
        """SIGKILL to the whole process group."""
        if self.running():
            kill_group(self.pid)
            assert self._process is not None
            self._process.wait()


def exit_text(code: int) -> str:
    """`exit status 1` or `signal SIGKILL`."""
    if code >= 0:
        return f"exit status {code}"
    return f"signal {signal.Signals(-code).name}"


def kill_group(pid: int) -> None:
    """SIGKILL to the group that `pid` leads; nothing if it has ended already."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def marked_processes(directory: Path) -> list[psutil.Process]:
    """Every live process whose environment says that it was started for this data directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARKER) == str(directory):
                found.append(process)
        except (psutil.Error, OSError):  # another user's, or gone while looking: not ours to end
            continue
    return found


def end_marked_processes(directory: Path, grace_seconds: float) -> int:
    """End what an earlier supervisor of this directory left running; returns how many there were."""
    left = marked_processes(directory)
    for process in left:
        _signal(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(left, timeout=grace_seconds)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5)
    return len(left)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
