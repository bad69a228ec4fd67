"""Space for deleting on a full disk: SQLite has to write something before anything is free.

A file beside the database takes it as long as there is enough, and gives it back to whoever deletes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.orm import Session

from store.database import Database
from store.private_files import FILE_MODE

SUFFIX = "-reserve"
#: Many times what deleting a dataset writes before the dataset's own files are gone.
SIZE = 4 * 1024**2


def keep_reserve(database: Database) -> None:
    """Take the space, where it was not taken yet and more than that is free."""
    path = _path(database)
    if path is None or path.exists() or _free(path) < 4 * SIZE:
        return
    content = os.urandom(SIZE)  # which no file system packs
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, FILE_MODE)) as file:
        file.write(content)


def give_reserve_back(database: Database) -> None:
    """Give the space back, where the disk is full."""
    path = _path(database)
    if path is not None and _free(path) < SIZE:
        path.unlink(missing_ok=True)


@contextmanager
def freeing(database: Database) -> Iterator[Session]:
    """As `Database.write`, for what frees space or ends what takes it: written on a full disk, too."""
    give_reserve_back(database)
    with database.write() as session:
        yield session


def _path(database: Database) -> Path | None:
    """None of a database that is elsewhere, or in memory."""
    name = database.url.database
    return Path(f"{name}{SUFFIX}") if database.is_sqlite and name else None


def _free(path: Path) -> int:
    return shutil.disk_usage(path.parent).free
