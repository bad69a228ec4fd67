"""Telling a full disk from other failures: it passes, once somebody makes room."""

from __future__ import annotations

import errno
import os

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
#: Libraries that write by themselves keep the text of the system's error and lose its number.
TEXTS = tuple(os.strerror(number) for number in FULL)


def is_disk_full(error: BaseException) -> bool:
    """Whether `error`, or what caused it, is a lack of space."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in FULL:
            return True
        if any(text in str(cause) for text in TEXTS):
            return True
        cause = cause.__cause__
    return False
