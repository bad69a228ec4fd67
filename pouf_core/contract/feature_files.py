"""What files of features are called: their names tell since when they have been written."""

from __future__ import annotations

import secrets
import time

SUFFIX = ".features"
_DIGITS = 20


def new_file_name() -> str:
    """The name of a file that is begun now."""
    return f"{time.time_ns():0{_DIGITS}d}-{secrets.token_hex(4)}{SUFFIX}"


def begun_at(name: str) -> float:
    """When the file of this name was begun, in seconds since 1970; 0 for a name of another kind."""
    digits = name[:_DIGITS]
    return int(digits) / 1e9 if digits.isdecimal() else 0.0
