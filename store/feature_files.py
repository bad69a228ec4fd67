"""Features that jobs keep on this machine's disk, so that no item is encoded twice: a directory an owner.

They are made from the owner's items, and go with them: whenever an owner deletes a dataset, all files of features that
were begun before go. What the owner's other datasets hold is then encoded once more.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sqlalchemy import func, select

from pouf_core.contract.feature_files import begun_at
from store.database import Database
from store.tables import Dataset


def owner_directory(root: Path, owner: str) -> Path:
    """Where the features of an owner's items lie; the name is no part of the path."""
    return root / hashlib.sha256(owner.encode()).hexdigest()[:32]


def forget_owner(root: Path, owner: str) -> None:
    """Remove an owner's features; jobs under way keep those that they have open."""
    shutil.rmtree(owner_directory(root, owner), ignore_errors=True)


def forget_all(root: Path) -> bool:
    """Remove everybody's features; whether there were some."""
    found = [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []
    for path in found:
        shutil.rmtree(path, ignore_errors=True)
    return bool(found)


def forget_deleted(database: Database, root: Path) -> None:
    """Remove what was begun before its owner last deleted a dataset: on this machine, whichever machine was asked."""
    if not root.is_dir():
        return
    deleted = select(Dataset.owner, func.max(Dataset.deleted_at)).where(Dataset.deleted_at.is_not(None))
    with database.read() as session:
        rows = session.execute(deleted.group_by(Dataset.owner)).all()
    for owner, deleted_at in rows:
        for path in _files(owner_directory(root, owner)):
            if deleted_at is not None and begun_at(path.name) <= deleted_at.timestamp():
                path.unlink(missing_ok=True)


def _files(directory: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError):  # removed by another process meanwhile
        yield from (path for path in directory.rglob("*") if begun_at(path.name))
