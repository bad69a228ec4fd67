"""The folder that one running service owns: its lock, its logs, and where its parts keep their files."""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli import CommandError
from store.private_files import make_private_directory

LOG_ROTATE_BYTES = 16 * 1024 * 1024
#: Of its log, what says why a part did not start: the reason may take several, and others may follow it.
START_FAILURE_LINES = 5


class DataDirectory:
    """Paths under one data directory, and the lock that lets only one supervisor use it."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self.logs = self.root / "logs"
        self.broker = self.root / "broker"
        self._lock_file = self.root / "supervisor.lock"

    def create(self) -> None:
        """Make the folders.

        Raises:
            CommandError: the place cannot be written.
        """
        try:
            for folder in (self.root, self.logs, self.broker):
                make_private_directory(folder)
        except OSError as error:
            raise CommandError(f"Cannot use {self.root} as the data directory: {error.strerror}.") from error

    @contextmanager
    def locked(self, url: str, *, until_unused: bool = False) -> Iterator[None]:
        """Hold the directory for this process, telling later comers the process id and `url`.

        Args:
            url: of the service.
            until_unused: whether it ends when nobody uses it any more (`cli.users`).

        Raises:
            CommandError: another supervisor holds it.
        """
        descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise CommandError(self._in_use(os.read(descriptor, 4096))) from error
            os.ftruncate(descriptor, 0)
            held = {"pid": os.getpid(), "url": url, "until_unused": until_unused}
            os.pwrite(descriptor, json.dumps(held).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def served_at(self) -> str | None:
        """The address of the service that runs on the directory, if one does."""
        url = self._holder().get("url")
        return None if url is None else str(url)

    def ends_unused(self) -> bool:
        """Whether a service runs on the directory that ends when nobody uses it any more."""
        return self._holder().get("until_unused") is True

    def _holder(self) -> dict[str, Any]:
        """What the holder tells; nothing where there is none."""
        try:
            descriptor = os.open(self._lock_file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return {}
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            with contextlib.suppress(ValueError):
                return dict(json.loads(os.read(descriptor, 4096)))
        finally:
            os.close(descriptor)
        return {}

    def _in_use(self, holder: bytes) -> str:
        try:
            known = json.loads(holder)
            who = f"process {known['pid']}, {known['url']}"
        except (ValueError, KeyError):
            who = "just starting"
        return (
            f"A service is already running on {self.root} ({who}). "
            "Stop it first, or give this one its own --data-dir and --port."
        )

    def log_file(self, name: str) -> Path:
        """The log of one child; a log that has grown large is set aside as `<name>.log.1` first."""
        path = self.log(name)
        rotate(path)
        return path

    def log(self, name: str) -> Path:
        """Where the log of one child is."""
        return self.logs / f"{name}.log"


def rotate(path: Path) -> None:
    """Copy a log that has grown large to `<name>.log.1`, and empty it: its writer appends, and goes on.

    One that there is no room for a copy of stays as it is.
    """
    if not path.exists() or (size := path.stat().st_size) <= LOG_ROTATE_BYTES or shutil.disk_usage(path).free < size:
        return
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error message, without the frames of tracebacks."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 64 * 1024))
        written = file.read().decode(errors="replace").splitlines()
    return "\n".join([line for line in _without_frames(written) if line.strip()][-lines:])


def _without_frames(lines: list[str]) -> Iterator[str]:
    in_trace = False
    for line in lines:
        in_trace = "Traceback (most recent call last)" in line or (in_trace and line.startswith(" "))
        if not in_trace:
            yield line
