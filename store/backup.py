"""Backups: a folder with the database as it was at one moment, every stored file that it names, and their checksums."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel
from sqlalchemy import Connection, inspect, select, union

from store.clock import utcnow
from store.database import Database, upgrade
from store.database_copies import DatabaseCopyFailed, copy_in, copy_out
from store.ids import new_id
from store.storage import Storage
from store.tables import AdaptedModel, BatchPrediction, Dataset, DatasetItem, Job, Upload

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "database"
STORAGE = "storage"
#: How often the database is copied anew because files that it named were deleted before they were copied.
ATTEMPTS = 5
BLOCK_BYTES = 1024 * 1024


class BackupFailed(Exception):
    """The backup or the restoration cannot be made; the message says what to do."""


class Entry(BaseModel):
    """A file of a backup."""

    path: str
    size: int
    sha256: str


class Manifest(BaseModel):
    """What a backup holds."""

    format: int = FORMAT
    database: str
    created_at: datetime
    files: list[Entry]


def back_up(database: Database, storage: Storage, target: Path) -> int:
    """Write a backup to the folder `target`, which must not exist; return how many files it holds.

    The service may go on. Nothing is at `target` until everything is. Raises `BackupFailed`.
    """
    if target.exists():
        raise BackupFailed(f"{target} exists already: name a folder that does not.")
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{new_id('tmp')}")
    unfinished.mkdir(mode=0o700)
    try:
        _copy_consistently(database, storage, unfinished)
        entries = list(_entries(unfinished))
        manifest = Manifest(database=database.url.get_backend_name(), created_at=utcnow(), files=entries)
        (unfinished / MANIFEST).write_text(manifest.model_dump_json(indent=1))
        unfinished.replace(target)
    except DatabaseCopyFailed as error:
        raise BackupFailed(str(error)) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return len(entries)


def restore(database: Database, storage: Storage, source: Path, manifest: Manifest) -> int:
    """Bring back the backup in `source` to an empty database and storage; return how many files it holds.

    Args:
        database: where the rows go.
        storage: where the files go.
        source: folder of the backup.
        manifest: what `checked_manifest` found there.

    Where that fails, the storage is empty again.

    Raises:
        BackupFailed: database or storage are not empty, or of another kind; nothing was written then.
    """
    if manifest.database != database.url.get_backend_name():
        raise BackupFailed(f"The backup is of {manifest.database}, the database is {database.url.drivername}.")
    with database.engine.connect() as connection:
        if inspect(connection).get_table_names():
            raise BackupFailed("The database is not empty: name another one, or move it out of the way.")
    keys = [entry.path.partition("/")[2] for entry in manifest.files if entry.path.startswith(f"{STORAGE}/")]
    if storage.directory is not None:
        storage.directory.make()  # it may be remembered, and lost
    tops = {key.partition("/")[0] for key in keys}
    if any(map(storage.exists, tops)):
        raise BackupFailed("The storage is not empty: name another storage, or move it out of the way.")
    with ExitStack() as on_failure:
        for top in tops:
            on_failure.callback(storage.discard, top)
        # files first, as the service itself does: rows never name what is not there
        for key in keys:
            storage.put_file(key, source / STORAGE / key)
        try:
            copy_in(database, source / DATABASE)
        except DatabaseCopyFailed as error:
            raise BackupFailed(str(error)) from error
        on_failure.pop_all()
    upgrade(database.url)
    return len(manifest.files)


def _copy_consistently(database: Database, storage: Storage, folder: Path) -> None:
    """Copy the database, then the files it names; anew while some of them were deleted in between."""
    for _ in range(ATTEMPTS):
        keys = copy_out(database, folder / DATABASE, named_files)
        if all(_copied(storage, key, folder / STORAGE / key) for key in keys):
            _drop_others(folder / STORAGE, keys)
            return
    raise BackupFailed(
        f"Files that the database names were not there {ATTEMPTS} times in a row: either much is being deleted just "
        "now, or the storage has lost files."
    )


def named_files(connection: Connection) -> Sequence[str]:
    """Return the storage keys, of files and folders, that rows name."""
    kept = Dataset.deleted_at.is_(None)
    uploads = select(Upload.storage_key).join(Dataset, Dataset.id == Upload.dataset_id).where(kept)
    items = select(DatasetItem.storage_key).join(Dataset, Dataset.id == DatasetItem.dataset_id)
    items = items.where(kept, DatasetItem.storage_key.is_not(None))
    models = select(AdaptedModel.storage_key).where(AdaptedModel.deleted_at.is_(None))
    predictions = (
        select(table.predictions_key).where(table.predictions_key.is_not(None)) for table in (Job, BatchPrediction)
    )
    return sorted(connection.scalars(union(uploads, items, models, *predictions)))


def _copied(storage: Storage, key: str, target: Path) -> bool:
    if target.exists():
        return True  # what is under a key never changes
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{new_id('tmp')}")
    try:
        storage.copy_out(key, unfinished)
        unfinished.replace(target)
    except FileNotFoundError:
        if unfinished.exists():
            shutil.rmtree(unfinished)
        return False
    return True


def _drop_others(folder: Path, keys: Sequence[str]) -> None:
    """Remove what an earlier round copied and the database no longer names."""
    named = set(keys)
    for path in list(_files(folder)) if folder.exists() else []:
        key = path.relative_to(folder).as_posix()
        if not _prefixes(key) & named:
            path.unlink()


def _prefixes(key: str) -> set[str]:
    parts = key.split("/")
    return {"/".join(parts[:length]) for length in range(1, len(parts) + 1)}


def _entries(folder: Path) -> Iterator[Entry]:
    for path in _files(folder):
        yield Entry(path=path.relative_to(folder).as_posix(), size=path.stat().st_size, sha256=_sha256(path))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def checked_manifest(source: Path) -> Manifest:
    """Return what the backup in `source` holds, whose files are all as they were written. Raises `BackupFailed`."""
    manifest = _read_manifest(source)
    for entry in manifest.files:
        path = source / entry.path
        if not path.resolve().is_relative_to(source.resolve()):
            raise BackupFailed(f"The backup names a file outside of it: {entry.path}.")
        if not path.is_file() or _sha256(path) != entry.sha256:
            raise BackupFailed(f"The backup is damaged: {entry.path} is not what was written. Nothing was changed.")
    return manifest


def _read_manifest(source: Path) -> Manifest:
    try:
        document = json.loads((source / MANIFEST).read_text())
        found = document.get("format") if isinstance(document, dict) else None
        if found != FORMAT:
            raise BackupFailed(f"The backup has format {found}, which this version does not read.")
        return Manifest.model_validate(document)
    except (FileNotFoundError, NotADirectoryError) as error:
        message = f"{source} is no backup: it holds no {MANIFEST}; name the folder that `pouf backup` made."
        raise BackupFailed(message) from error
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not what was written"
        raise BackupFailed(f"The backup's {MANIFEST} cannot be read: {what}. Nothing was changed.") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
