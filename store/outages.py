"""What is an outage (of the database, the storage, the machine), and waiting until one is over.

An outage says nothing about the work that met it: that work waits, for as long as the outage lasts, and is not counted
as failed. Everything else is an error of the work itself.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds: waits double from the first on, up to the longest, and are random below that (full jitter).
FIRST_WAIT = 0.5
LONGEST_WAIT = 20.0
CHECK_EVERY = 0.5

#: What the machine lacks for a while, such as the right to use the service's own directories; other system errors are
#: about the file or path that was asked for.
LACKS = frozenset(
    (
        *(errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN),
        *(errno.EROFS, errno.ESTALE, errno.ENOTCONN, errno.EACCES, errno.EPERM),
    )
)
#: Packages whose errors reach a caller of fsspec as they are.
REMOTE_STORAGE_PACKAGES = frozenset(("botocore", "aiobotocore", "aiohttp", "urllib3", "gcsfs", "google", "azure"))


class StorageUnavailable(OSError):
    """The object storage cannot be reached, or refuses to work; raised by `store.storage.Storage` alone."""


def is_outage(error: BaseException) -> bool:
    """Whether trying again later may help, because a part that the work needs is missing."""
    if isinstance(error, DBAPIError):
        return is_database_outage(error)
    if isinstance(error, FileNotFoundError):
        return not has_temporary_directory()
    return isinstance(error, StorageUnavailable | PoolTimeout) or (isinstance(error, OSError) and error.errno in LACKS)


def has_temporary_directory() -> bool:
    """Whether there is a directory for temporary files, without which files that are there cannot be read either."""
    try:
        return Path(tempfile.gettempdir()).is_dir()
    except FileNotFoundError:  # none could be used when it was first looked for
        return False


def is_database_outage(error: BaseException) -> bool:
    """Whether the database was not reachable, or too busy or ill to answer; not whether it refused a statement."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        return isinstance(error, OperationalError) and code != sqlite3.SQLITE_ERROR
    return isinstance(error, OperationalError | InterfaceError)


def is_storage_error(error: BaseException) -> bool:
    """Whether an error of fsspec means that the storage is not available; a missing file, or a full disk, does not."""
    if isinstance(error, OSError):
        answered = isinstance(error, FileNotFoundError | FileExistsError | IsADirectoryError)
        return not answered and error.errno not in (errno.ENOSPC, errno.EDQUOT)
    return any(base.__module__.partition(".")[0] in REMOTE_STORAGE_PACKAGES for base in type(error).__mro__)


def never() -> None:
    """A check that ends nothing."""


def patiently(
    work: Callable[[], T],
    check: Callable[[], None] = never,
    waits_for: Callable[[BaseException], bool] = is_outage,
) -> T:
    """Do the work, again and again while an outage lasts, with exponential back-off and jitter.

    Args:
        work: may be done again after it failed.
        check: called about twice a second while waiting; raises to give up.
        waits_for: which errors are waited out; the others are raised.
    """

    def sleep(seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            check()
            time.sleep(min(left, CHECK_EVERY))
        check()

    retrying = Retrying(
        retry=retry_if_exception(waits_for),
        wait=wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT),
        sleep=sleep,
        before_sleep=_log,
        reraise=True,
    )
    return retrying(work)


def _log(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    logger.warning("An outage, try %s: %s: %s", state.attempt_number, type(error).__name__, error)
