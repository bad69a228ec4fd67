"""Counting requests a minute, shared by all API processes through the broker's server."""

import logging
import math
import time
from collections.abc import Callable
from typing import TypeVar

from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage, Storage
from limits.strategies import MovingWindowRateLimiter
from redis import RedisError

logger = logging.getLogger(__name__)

SOCKET_SECONDS = 1.0
PAUSE_SECONDS = 10.0
KEY_PREFIX = "pouf-requests"

Answer = TypeVar("Answer")


class RateLimiter:
    """A moving window of a minute for each key.

    Without a server, or while it does not answer, each process counts for itself: a limit then holds for each of them.
    """

    def __init__(self, redis_url: str | None) -> None:
        self._alone = MovingWindowRateLimiter(MemoryStorage())
        self._shared = MovingWindowRateLimiter(_connect(redis_url)) if redis_url else None
        self._shared_from = 0.0

    def hit(self, key_id: str, per_minute: int) -> int | None:
        """Count a request; returns None, or the seconds to wait when the limit is reached."""
        limit = RateLimitItemPerMinute(per_minute)
        return self._ask(lambda limiter: _hit(limiter, limit, key_id))

    def used(self, key_id: str, per_minute: int) -> int:
        """Return how many requests were counted in the last minute."""
        limit = RateLimitItemPerMinute(per_minute)
        return self._ask(lambda limiter: per_minute - limiter.get_window_stats(limit, key_id).remaining)

    def _ask(self, question: Callable[[MovingWindowRateLimiter], Answer]) -> Answer:
        if self._shared is None or time.monotonic() < self._shared_from:
            return question(self._alone)
        try:
            return question(self._shared)
        except (RedisError, StorageError) as error:
            # asked again only after a while, so that not every request waits for the time-out
            self._shared_from = time.monotonic() + PAUSE_SECONDS
            logger.warning("requests are counted by this process alone for %g s: %s", PAUSE_SECONDS, error)
            return question(self._alone)


def _connect(redis_url: str) -> Storage:
    return RedisStorage(
        redis_url,
        key_prefix=KEY_PREFIX,
        socket_timeout=SOCKET_SECONDS,
        socket_connect_timeout=SOCKET_SECONDS,
    )


def _hit(limiter: MovingWindowRateLimiter, limit: RateLimitItemPerMinute, key_id: str) -> int | None:
    if limiter.hit(limit, key_id):
        return None
    return max(1, math.ceil(limiter.get_window_stats(limit, key_id).reset_time - time.time()))
