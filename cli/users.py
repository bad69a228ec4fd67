"""Who uses a temporary service: commands that share one, each of which may end, or be killed, at any time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

USERS, START = "users.lock", "start.lock"


@contextmanager
def using(root: Path) -> Iterator[None]:
    """Be a user of the service on a data directory; waits first while one that nobody used is ending.

    Users hold a shared lock, which the kernel lets go however they end. The service takes the exclusive one when nobody
    holds any, and keeps it until it has ended.
    """
    with _locked(root / USERS, fcntl.LOCK_SH):
        yield


@contextmanager
def starting(root: Path) -> Iterator[None]:
    """Look for a service, and start one where there is none, while no other user does."""
    with _locked(root / START, fcntl.LOCK_EX):
        yield


def is_used(root: Path) -> bool:
    """Whether anybody is a user; not while the service is ending."""
    try:
        with _locked(root / USERS, fcntl.LOCK_SH | fcntl.LOCK_NB):
            pass
    except BlockingIOError:
        return False
    with ExitStack() as stack:
        return not closed_to_users(root, stack)


def closed_to_users(root: Path, until: ExitStack) -> bool:
    """Let nobody become a user before `until` ends; False where somebody is one."""
    try:
        until.enter_context(_locked(root / USERS, fcntl.LOCK_EX | fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
