"""How fsspec is spoken to where the storage is remote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.callbacks import Callback
from fsspec.core import url_to_fs

S3_CONNECT_SECONDS = 5.0
S3_TRIES = 2


class Watched(Callback):  # type: ignore[misc] # fsspec has no types
    """Calls `check` at every block and file that is copied; it raises to end the copying."""

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__()
        self._ask = check

    def relative_update(self, inc: int = 1) -> None:
        self._ask()

    def absolute_update(self, value: int) -> None:
        self._ask()

    def branched(self, *_: object, **__: object) -> Watched:
        return self


def remote_file_system(url: str, timeout: float) -> tuple[AbstractFileSystem, str]:
    """The file system behind a URL, and the path in it.

    A remote one never answers from memory, since other hosts write too. S3 takes its address and credentials from the
    environment, as ``AWS_…``, and is given up after `timeout` seconds of silence.
    """
    protocol = url.partition("://")[0]
    if protocol in ("file", "local", url):
        file_system, path = url_to_fs(url)
    elif protocol in ("s3", "s3a"):
        limits = {"connect_timeout": min(timeout, S3_CONNECT_SECONDS), "read_timeout": timeout}
        config = {**limits, "retries": {"max_attempts": 0}}
        file_system, path = url_to_fs(url, use_listings_cache=False, config_kwargs=config, session=_s3_session())
        file_system.retries = S3_TRIES
    else:
        file_system, path = url_to_fs(url, use_listings_cache=False)
    return file_system, str(path)


def _s3_session() -> Any:
    """A session that sends without asking first: an answer to "Expect: 100-continue" is waited for without a limit."""
    from aiobotocore.session import AioSession
    from botocore.handlers import add_expect_header

    session = AioSession()
    session.unregister("before-call.s3", add_expect_header)
    return session
