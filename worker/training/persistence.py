"""Recording the end of an attempt although the database does not answer just now."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2.0


def persist(write: Callable[[], object], seconds: float) -> None:
    """Call `write` until the database takes it; raises `DBAPIError` after `seconds`, as long as a lease can hold."""
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            write()
            return
        except DBAPIError:
            if time.monotonic() >= give_up_at:
                raise
            logger.warning("The database is not reachable; trying again.", exc_info=True)
            time.sleep(RETRY_SECONDS)
