"""A child process as the runner sees it: started, listened to, asked to stop, killed."""

from __future__ import annotations

import logging
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from store.outages import never
from store.private_files import append_to_log
from worker.training.messages import STOP_COMMAND, Message, WorkSpec, decode
from worker.training.template import TRAINING
from worker.training.warm_start import ENVIRONMENT, CopiedProcess, WarmStart

logger = logging.getLogger(__name__)

READ_BYTES = 1 << 16
LOG_TAIL_BYTES = 2000
#: Between SIGTERM and SIGKILL, in seconds.
TERMINATION_SECONDS = 5.0

#: Starts a process from a specification's file with descriptors for standard input, log and messages.
Start = Callable[[Path, int, int, int], subprocess.Popen[bytes] | CopiedProcess | None]


class ChildProcess:
    """A job's process in a session of its own, to be killed with all that it started.

    Args:
        process: it.
        stdin: its standard input.
        messages: descriptor of the pipe that it reports on.
        log: file of its output.
    """

    def __init__(
        self, process: subprocess.Popen[bytes] | CopiedProcess, stdin: IO[bytes], messages: int, log: Path
    ) -> None:
        self._process = process
        self._stdin = stdin
        self._messages = messages
        self._log = log
        self._buffer = b""
        self._ended = False
        self._terminated_at: float | None = None
        self._closed = False

    @classmethod
    def start(
        cls,
        spec: WorkSpec,
        directory: Path,
        log: Path,
        warm: WarmStart | None = None,
        module: str = TRAINING,
        check: Callable[[], None] = never,
    ) -> ChildProcess:
        """Write the specification into `directory` and start the child; its output is appended to `log`.

        Args:
            spec: what it is to do.
            directory: made where it is not there.
            log: a file.
            warm: begins it from a template where it can; else, and without one, it is started by itself.
            module: what the child runs.
            check: called while a template is waited for; raises to give up.
        """
        directory.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        spec_file = directory / "spec.json"
        spec_file.write_text(spec.model_dump_json())
        with append_to_log(log) as output:
            output.write(f"--- attempt with fence {spec.fence}\n".encode())
            output.flush()
            child = None
            if warm is not None:
                child = cls._start_with(_from_template(warm, module, check), spec_file, output, log)
            child = child or cls._start_with(_by_itself(module), spec_file, output, log)
        assert child is not None
        return child

    @classmethod
    def _start_with(cls, start: Start, spec_file: Path, output: IO[bytes], log: Path) -> ChildProcess | None:
        """A child with pipes of its own; None where that kind of start cannot be had now."""
        commands, stdin = os.pipe()
        messages, reports = os.pipe()
        process = None
        try:
            process = start(spec_file, commands, output.fileno(), reports)
        finally:
            os.close(commands)
            os.close(reports)
            if process is None:
                os.close(stdin)
                os.close(messages)
        return None if process is None else cls(process, os.fdopen(stdin, "wb"), messages, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the child can send nothing more."""
        return self._ended

    def read(self, timeout: float) -> list[Message]:
        """What the child reported, waiting at most `timeout` seconds for something."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._messages, selectors.EVENT_READ)
            if self._ended or not selector.select(timeout):
                return []
        chunk = os.read(self._messages, READ_BYTES)
        if not chunk:
            self._ended = True
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        return [message for line in lines if (message := _decoded(line)) is not None]

    def ask_to_stop(self, reason: str) -> None:
        """Let the child stop at its next step boundary."""
        try:
            self._stdin.write(f"{STOP_COMMAND} {reason}\n".encode())
            self._stdin.flush()
        except BrokenPipeError:
            logger.info("Child %s ended before it was asked to stop.", self.pid)

    def terminate(self) -> None:
        """SIGTERM at the first call, SIGKILL once the time for that has passed."""
        now = time.monotonic()
        if self._terminated_at is None:
            self._terminated_at = now
            self._signal(signal.SIGTERM)
        elif now - self._terminated_at >= TERMINATION_SECONDS:
            self._signal(signal.SIGKILL)

    def close(self) -> int | None:
        """End the child at once if it has not been seen to exit, and let go of it.

        Returns:
            Its exit status; None where that cannot be known.
        """
        if self._closed:
            return self._process.returncode
        if self._process.returncode is None:
            self._signal(signal.SIGKILL)
        status = self._process.wait()
        self._closed = self._ended = True
        try:
            self._stdin.close()
        except BrokenPipeError:
            logger.debug("Child %s ended with unread commands.", self.pid)
        os.close(self._messages)
        return status

    def wait(self, timeout: float) -> None:
        """Give the child time to exit by itself after it has sent everything."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            logger.warning("Child %s does not exit although it has sent everything.", self.pid)

    def log_tail(self) -> str:
        """The end of what the job's processes printed."""
        with self._log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            return stream.read().decode(errors="replace").strip()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)  # the child leads its own group
        except (ProcessLookupError, PermissionError):  # macOS refuses to signal a process that has just exited
            logger.debug("Child %s has already gone.", self.pid)


def _by_itself(module: str) -> Start:
    """A process that begins with nothing."""

    def start(spec_file: Path, stdin: int, log: int, messages: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", module, str(spec_file), str(messages)],
            stdin=stdin,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(messages,),
            start_new_session=True,
            env={**os.environ, **ENVIRONMENT},
        )

    return start


def _from_template(warm: WarmStart, module: str, check: Callable[[], None]) -> Start:
    """A process that begins with imports and base model."""

    def start(spec_file: Path, stdin: int, log: int, messages: int) -> subprocess.Popen[bytes] | CopiedProcess | None:
        return warm.start(spec_file, stdin, log, messages, module, check)

    return start


def describe_exit(status: int | None) -> str:
    """An exit status in words."""
    if status is None:
        return "the training process ended unseen"
    if status >= 0:
        return f"the training process exited with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    hint = " (the system may have run out of memory)" if -status == signal.SIGKILL else ""
    return f"the training process was killed by {name}{hint}"


def _decoded(line: bytes) -> Message | None:
    try:
        return decode(line)
    except (ValidationError, ValueError):
        logger.exception("A child sent something that is not a message: %r", line[:200])
        return None
