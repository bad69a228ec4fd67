"""Orphans: stored files that no row refers to. A crash between storing and committing leaves them, or one during a
deletion.

Files are stored moments before the rows that name them, so that only files older than a day or so are considered.
Datasets that are being ingested are left alone.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import func, select, union
from sqlalchemy.orm import Session

from store.database import Database
from store.storage import Storage, StoredFile
from store.storage_keys import DATASETS, MODELS, PREDICTIONS, dataset_key, model_key, predictions_key
from store.tables import AdaptedModel, BatchPrediction, Dataset, DatasetItem, Job, Upload

#: Statuses in which a dataset's files only change by requests, which store before they commit.
AT_REST = ("uploading", "ready", "failed")
BATCH = 100

_KNOWN = (Dataset.id, Dataset.fence, Dataset.status, Dataset.deleted_at)


class OrphanCollector:
    """Finds orphans in a storage, round after round, and removes them.

    The storage must belong to this database alone. Even so, a folder that no row names is removed only if its id is
    newer than the database's first dataset: an older folder belongs to another database, which may be restored.
    """

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage
        self._done: set[tuple[str, int]] = set()

    def collect(self, before: float, *, remove: bool = True) -> list[StoredFile]:
        """Return the orphans stored before a time, in seconds since 1970, and remove them unless told not to."""
        return [
            *self._of_models(before, remove),
            *self._of_predictions(before, remove),
            *self._of_datasets(before, remove),
        ]

    def _of_models(self, before: float, remove: bool) -> Iterator[StoredFile]:
        names = self._storage.names(MODELS)
        with self._database.read() as session:
            first = _first_id(session)
            kept = set(session.scalars(select(AdaptedModel.id).where(AdaptedModel.deleted_at.is_(None))))
            deleted = set(session.scalars(select(AdaptedModel.id).where(AdaptedModel.deleted_at.is_not(None))))
        for name in names:
            if name in deleted or (name not in kept and _is_ours(name, first)):
                yield from self._whole(model_key(name), before, remove)

    def _of_predictions(self, before: float, remove: bool) -> Iterator[StoredFile]:
        names = self._storage.names(PREDICTIONS)
        with self._database.read() as session:
            first = _first_id(session)
            kept = {key for table in (Job, BatchPrediction) for key in session.scalars(select(table.predictions_key))}
        for name in names:
            if predictions_key(name) not in kept and _is_ours(name, first):
                yield from self._whole(predictions_key(name), before, remove)

    def _of_datasets(self, before: float, remove: bool) -> Iterator[StoredFile]:
        names = self._storage.names(DATASETS)
        with self._database.read() as session:
            first = _first_id(session)
            known = {row.id: row for row in session.execute(select(*_KNOWN))}
        for name in names:
            row = known.get(name)
            if row is None:
                if _is_ours(name, first):
                    yield from self._whole(dataset_key(name), before, remove)
            elif row.deleted_at is not None:
                yield from self._whole(dataset_key(name), before, remove)
            elif row.status in AT_REST and (row.id, row.fence) not in self._done:
                yield from self._inside(row.id, row.fence, row.status, before, remove)

    def _whole(self, key: str, before: float, remove: bool) -> Iterable[StoredFile]:
        """All files of a folder that no row names; none if a file was stored in it recently."""
        files = list(self._storage.files(key))
        if not files or any(file.stored_at >= before for file in files):
            return []
        if remove:
            self._storage.delete(key)
        return files

    def _inside(self, dataset_id: str, fence: int, status: str, before: float, remove: bool) -> Iterator[StoredFile]:
        """Files of a dataset that no row names. A dataset is searched once, until it is read again."""
        with self._database.read() as session:
            named = set(_named(session, dataset_id))
        has_recent = False
        unnamed = []
        for file in self._storage.files(dataset_key(dataset_id)):
            has_recent = has_recent or file.stored_at >= before
            if file.stored_at < before and file.key not in named:
                unnamed.append(file)
        for start in range(0, len(unnamed), BATCH):
            yield from self._still_unnamed(dataset_id, unnamed[start : start + BATCH], remove)
        if remove and not has_recent and status != "uploading":
            self._done.add((dataset_id, fence))

    def _still_unnamed(self, dataset_id: str, files: Sequence[StoredFile], remove: bool) -> list[StoredFile]:
        """Remove files while the dataset is locked, so that none is named meanwhile."""
        with self._database.write() as session:
            at_rest = select(Dataset.id).where(
                Dataset.id == dataset_id, Dataset.status.in_(AT_REST), Dataset.deleted_at.is_(None)
            )
            if session.scalars(at_rest.with_for_update()).one_or_none() is None:
                return []
            named = set(_named(session, dataset_id, [file.key for file in files]))
            orphans = [file for file in files if file.key not in named]
            for file in orphans if remove else []:
                self._storage.delete(file.key)
        return orphans


def _named(session: Session, dataset_id: str, keys: Sequence[str] | None = None) -> Iterable[str]:
    """The keys, or those of `keys`, that the dataset's rows name."""
    queries = [
        select(table.storage_key).where(table.dataset_id == dataset_id, table.storage_key.is_not(None))
        for table in (Upload, DatasetItem)
    ]
    if keys is not None:
        queries = [query.where(query.selected_columns.storage_key.in_(keys)) for query in queries]
    return session.scalars(union(*queries))


def _first_id(session: Session) -> str | None:
    return session.scalar(select(func.min(Dataset.id)))


def _is_ours(name: str, first: str | None) -> bool:
    """Whether a folder's id is newer than the first dataset's. Ids begin with their time, those of unfinished writes
    too.
    """
    time_of_name, time_of_first = name.rpartition("_")[2], (first or "").rpartition("_")[2]
    return bool(time_of_first) and time_of_name > time_of_first


def remove_abandoned_staging(staging_dir: Path, before: float) -> int:
    """Remove the directories in `staging_dir` that nothing was written to since a time, in seconds since 1970; return
    how many. Killed processes leave them.
    """
    abandoned = [path for path in staging_dir.iterdir() if _written_at(path) < before] if staging_dir.exists() else []
    for path in abandoned:
        shutil.rmtree(path, ignore_errors=True)
    return len(abandoned)


def _written_at(directory: Path) -> float:
    moments = []
    for path in (directory, *directory.rglob("*")):
        with suppress(FileNotFoundError):  # its request has just ended
            moments.append(path.stat().st_mtime)
    return max(moments, default=float("inf"))
