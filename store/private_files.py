"""What the service keeps on this machine, out of other users' reach."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from store.settings import Settings

logger = logging.getLogger(__name__)

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
#: What SQLite keeps beside a database; new ones take its mode.
BESIDE_SQLITE = ("", "-wal", "-shm", "-journal")


def make_data_private(settings: Settings) -> None:
    """Make data directory and logs, with modes 0700 and 0600, or mend those that are open to others.

    Raises:
        OSError: they cannot be made.
    """
    for directory in (settings.data_dir, settings.log_dir):
        make_private_directory(directory)
    for log in settings.log_dir.glob("*.log*"):
        close_to_others(log, FILE_MODE)


def make_private_directory(directory: Path) -> None:
    """Make a directory with mode 0700, or mend it.

    Raises:
        OSError: it cannot be made.
    """
    directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    close_to_others(directory, DIRECTORY_MODE)


def append_to_log(path: Path) -> BinaryIO:
    """Open a log at its end, a new one with mode 0600."""
    return open(path, "ab", opener=lambda name, flags: os.open(name, flags, FILE_MODE))


def create_sqlite_file(path: Path) -> None:
    """Create a database's file, where there is none, with mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))


def mend_sqlite_files(path: Path) -> None:
    """Close a database's files to others."""
    for suffix in BESIDE_SQLITE:
        close_to_others(path.with_name(f"{path.name}{suffix}"), FILE_MODE)


def close_to_others(path: Path, mode: int) -> None:
    """Give a file or directory of our own that mode if others may use it; one that everybody shares is left alone."""
    try:
        found = path.stat()
        shared = found.st_mode & stat.S_ISVTX  # as /tmp
        if found.st_uid == os.getuid() and not shared and stat.S_IMODE(found.st_mode) & ~mode:
            path.chmod(mode)
    except FileNotFoundError:
        return
    except OSError as error:
        logger.warning("%s stays open to other users: %s", path, error.strerror)
