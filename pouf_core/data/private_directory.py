"""Directories that no other user may read or write."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def make_private(directory: Path) -> None:
    """Make a directory with mode 0700, or give it that mode.

    Raises:
        OSError: it cannot be made, or belongs to another user.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = directory.stat()
    if found.st_uid != os.getuid():
        raise PermissionError(f"{directory} belongs to another user.")
    if stat.S_IMODE(found.st_mode) != 0o700:
        directory.chmod(0o700)
