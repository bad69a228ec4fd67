"""The worker's side of the template: one that stands ready, and jobs' processes begun from it.

Whatever is wrong with a template, a job is not lost by it: its process is started as if there were none.
"""

from __future__ import annotations

import json
import logging
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pouf_core.contract.base_model import DEFAULT_BASE_MODELS
from store.outages import never
from store.settings import Settings
from worker.training.template import BECOME, FORK, READY, TRAINING, kill_group

logger = logging.getLogger(__name__)

#: For so long after its start a template is waited for, in seconds: starting by itself would take a job longer.
PREPARING_SECONDS = 120.0
CHECK_SECONDS = 0.5
#: What a template that stands ready may take to answer, in seconds.
ANSWER_SECONDS = 5.0
#: What it may take to end by itself, and to end a job that it had begun without an answer.
LEAVING_SECONDS = 1.0
#: How long the news of an exit may take behind the exit, in seconds.
NEWS_SECONDS = 1.0
#: What numpy's and scipy's own threads would be: PyTorch's are the job's, and a copied process must have one.
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1"}


class CopiedProcess:
    """A job's process that the template started, with what `subprocess.Popen` has for one of our own."""

    def __init__(self, pid: int, about: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._about: socket.socket | None = about
        self._process = os.pidfd_open(pid)

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the exit, and let the process go; its status, or None where only a template that died knew it.

        Raises:
            subprocess.TimeoutExpired: it goes on.
        """
        if self._about is None:
            return self.returncode
        if not _readable(self._process, timeout):
            raise subprocess.TimeoutExpired("a job's process", timeout or 0)
        try:
            self.returncode = _hear(self._about, NEWS_SECONDS).get("status")
        except OSError:
            logger.warning("The template does not say how process %s ended.", self.pid, exc_info=True)
        os.close(self._process)
        self._about.close()
        self._about = None
        return self.returncode


class WarmStart:
    """Keeps a template ready. Thread-safe.

    Args:
        mode: what a template does with a job, see `worker.training.template`.
        base_model: what it loads beforehand; None for nothing.
    """

    def __init__(self, mode: str, base_model: str | None) -> None:
        self._command = [sys.executable, "-m", "worker.training.template"]
        self._arguments = [mode, base_model or ""]
        self.mode = mode
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._ready = False
        self._ready_by = 0.0

    def prepare(self) -> None:
        """Start a template unless there is one; it gets ready by itself."""
        with self._lock:
            self._prepare()

    def start(
        self,
        spec_file: Path,
        stdin: int,
        log: int,
        messages: int,
        module: str = TRAINING,
        check: Callable[[], None] = never,
    ) -> CopiedProcess | subprocess.Popen[bytes] | None:
        """A job's process with these pipes; None where there is no template or it cannot be used, for one to come.

        Args:
            spec_file: the job's.
            stdin, log, messages: what the process gets copies of.
            module: what it runs; its `main` takes a `worker.training.child.Beginning`.
            check: called about twice a second while a template is being made; raises to give up.
        """
        with self._lock:
            try:
                self._wait(check)
                return self._start([module, str(spec_file)], (stdin, log, messages)) if self._is_ready() else None
            except (OSError, ValueError) as error:
                self._drop(f"it did not answer ({error})")
                return None
            finally:
                self._prepare()

    def is_ready(self) -> bool:
        """Whether a job's process would begin from a template now."""
        with self._lock:
            return self._is_ready()

    def close(self) -> None:
        """End the template."""
        with self._lock:
            self._drop(None)

    def _prepare(self) -> None:
        if self._process is not None:
            return
        here, there = socket.socketpair()
        with there:
            try:
                self._process = subprocess.Popen(
                    [*self._command, str(there.fileno()), *self._arguments],
                    stdin=subprocess.DEVNULL,
                    pass_fds=(there.fileno(),),
                    start_new_session=True,
                    env={**os.environ, **ENVIRONMENT},
                )
            except OSError:
                here.close()
                logger.warning("No template for jobs' processes could be started.", exc_info=True)
                return
        self._control, self._ready = here, False
        self._ready_by = time.monotonic() + PREPARING_SECONDS

    def _wait(self, check: Callable[[], None]) -> None:
        """Wait while a template is being made."""
        while not self._is_ready() and self._control is not None and time.monotonic() < self._ready_by:
            check()
            _readable(self._control, CHECK_SECONDS)

    def _is_ready(self) -> bool:
        if self._control is None or self._process is None:
            return False
        if _readable(self._control, 0):
            said = self._control.recv(len(READY))
            if self._ready or said != READY:
                self._drop("it has ended")
                return False
            self._ready = True
        return self._ready

    def _start(
        self, asked: list[str], descriptors: tuple[int, int, int]
    ) -> CopiedProcess | subprocess.Popen[bytes] | None:
        assert self._control is not None
        assert self._process is not None
        about, theirs = socket.socketpair()
        try:
            with theirs:
                line = json.dumps(asked).encode()
                socket.send_fds(self._control, [line], [*descriptors, theirs.fileno()])
            facts = _hear(about, ANSWER_SECONDS)
            if facts.get("pid") == self._process.pid:
                about.close()
                return self._release()
            if "pid" in facts:
                return CopiedProcess(facts["pid"], about)
        except BaseException:
            about.close()
            raise
        about.close()
        self._drop(facts.get("refused", "it ended"))
        return None

    def _release(self) -> subprocess.Popen[bytes]:
        """The template's process, which has become a job's."""
        assert self._process is not None
        assert self._control is not None
        process = self._process
        self._control.close()
        self._process = self._control = None
        return process

    def _drop(self, reason: str | None) -> None:
        if reason is not None:
            logger.warning("The template of jobs' processes is made anew: %s.", reason)
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            try:
                self._process.wait(LEAVING_SECONDS)
            except subprocess.TimeoutExpired:
                kill_group(self._process.pid)
                self._process.wait()
        self._process = self._control = None


def warm_start_of(settings: Settings) -> WarmStart | None:
    """What the settings ask for; None where every job's process is started by itself."""
    if not settings.warm_start:
        return None
    default = DEFAULT_BASE_MODELS["image"]
    base_model = default if settings.allows_base_model(default) else None
    if may_use_gpu(settings.device):
        return WarmStart(BECOME, None)  # CUDA must be as untouched as in a process of its own
    return WarmStart(FORK if sys.platform == "linux" else BECOME, base_model)


def may_use_gpu(device: str) -> bool:
    """Whether a job of this worker may find a GPU, asked without PyTorch."""
    if device != "auto":
        return device != "cpu"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") == ""
    return not hidden and any(Path(path).exists() for path in ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd"))


def _readable(descriptor: int | socket.socket, timeout: float | None) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if timeout is None else max(0.0, timeout) * 1000))


def _hear(about: socket.socket, seconds: float) -> dict[str, Any]:
    """The next line about a job's process; nothing where the template is gone.

    Raises:
        OSError: none came in time.
    """
    about.settimeout(seconds)
    line = b""
    while not line.endswith(b"\n"):  # nothing of a line that follows
        byte = about.recv(1)
        if not byte:
            return {}
        line += byte
    return dict(json.loads(line))
