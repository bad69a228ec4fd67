"""Checkpoints in a remote storage, so that a job goes on where another host left it.

Below `checkpoints/<job>/<fence>`: the fence is in the key, so an attempt that lost its lease writes where nothing is
read any more. Uploading goes on beside training and delays neither a step nor the lease. A storage that is a directory
gets no copies: hosts that share one also share the data directory's `checkpoints`.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from store.clock import utcnow
from store.database import Database
from store.ids import new_id
from store.outages import StorageUnavailable
from store.shutdown_times import LAST_CHECKPOINT_SECONDS
from store.storage import NotStored, Storage
from store.storage_keys import CHECKPOINTS, checkpoints_key
from store.tables import Job
from store.transitions import FINAL

logger = logging.getLogger(__name__)

KEPT = 2
LOOK_SECONDS = 1.0
#: In an outage tries come ever later, up to this.
LONGEST_PAUSE = 60.0
#: What a job that has ended left is removed after this, by housekeeping.
LEFT_ALONE = timedelta(hours=1)
_NAME = re.compile(r"step-(\d+)\.pt")


@dataclass(frozen=True, order=True)
class _Stored:
    """A checkpoint in the storage, by its step and fence."""

    step: int
    fence: int
    name: str


def newest_step(directory: Path) -> int:
    """The step of the newest checkpoint in a directory; -1 when there is none."""
    return max((_step(path.name) for path in directory.glob("step-*.pt")), default=-1)


def fetch_newer(storage: Storage, job_id: str, fence: int, directory: Path) -> None:
    """Fetch the newest checkpoint of earlier attempts, if it is further on than those in the directory."""
    if storage.local_root is not None:
        return
    stored = [one for one in _stored(storage, job_id) if one.fence < fence]
    newest = max(stored, default=None)
    if newest is None or newest.step <= newest_step(directory):
        return
    temporary = directory / f".{new_id('tmp')}"
    try:
        storage.copy_out(f"{checkpoints_key(job_id, newest.fence)}/{newest.name}", temporary)
    except NotStored:  # an attempt that lost its lease has just removed it
        return
    temporary.replace(directory / newest.name)
    logger.info("Job %s goes on from step %s, which another host stored.", job_id, newest.step)


@contextmanager
def uploading(storage: Storage, job_id: str, fence: int, directory: Path) -> Iterator[Uploader]:
    """Store what appears in the directory while the block runs, and what is there at its end."""
    uploader = Uploader(storage, job_id, fence, directory)
    if storage.local_root is not None:
        yield uploader
        return
    thread = threading.Thread(target=uploader.run, name="checkpoint-upload", daemon=True)
    thread.start()
    try:
        yield uploader
    finally:
        uploader.ended.set()
        thread.join(LAST_CHECKPOINT_SECONDS)  # a late upload lands under its own fence


def remove(storage: Storage, job_id: str, fence: int) -> None:
    """Remove what attempts up to a fence stored."""
    if storage.local_root is not None:
        return
    try:
        for name in storage.names(f"{CHECKPOINTS}/{job_id}"):
            if name.isdecimal() and int(name) <= fence:
                storage.delete(checkpoints_key(job_id, int(name)))
    except StorageUnavailable as error:
        logger.warning("Checkpoints of job %s are left to housekeeping: %s", job_id, error)


def remove_left_behind(database: Database, storage: Storage) -> None:
    """Remove the checkpoints of jobs that ended elsewhere, or that are no more."""
    if storage.local_root is not None:
        return
    for job_id in storage.names(CHECKPOINTS):
        with database.read() as session:
            job = session.execute(select(Job.status, Job.finished_at, Job.fence).where(Job.id == job_id)).one_or_none()
        if job is None:
            storage.delete(f"{CHECKPOINTS}/{job_id}")
        elif job.status in FINAL and job.finished_at is not None and job.finished_at < utcnow() - LEFT_ALONE:
            remove(storage, job_id, job.fence)


class Uploader:
    """Stores the checkpoints of one attempt, the newest first, and keeps two of them."""

    def __init__(self, storage: Storage, job_id: str, fence: int, directory: Path) -> None:
        self.ended = threading.Event()
        self._storage = storage
        self._job_id = job_id
        self._fence = fence
        self._directory = directory
        self._wanted = True
        self._done: list[str] = []

    def run(self) -> None:
        """Look for checkpoints until the attempt has ended, then store the last one."""
        pause = LOOK_SECONDS
        while not self.ended.wait(pause):
            pause = LOOK_SECONDS if self._store_newest() else min(2 * pause, LONGEST_PAUSE)
        if self._wanted:
            self._store_newest()

    def leave_last(self) -> None:
        """Store nothing at the end: the job ends too."""
        self._wanted = False

    def _store_newest(self) -> bool:
        """Store the newest checkpoint unless it is stored; returns whether the storage was there."""
        newest = max(self._directory.glob("step-*.pt"), default=None)
        if newest is None or newest.name in self._done:
            return True
        key = checkpoints_key(self._job_id, self._fence)
        try:
            self._storage.put_file(f"{key}/{newest.name}", newest)
            self._done.append(newest.name)
            for name in self._done[:-KEPT]:
                self._storage.delete(f"{key}/{name}")
            self._done = self._done[-KEPT:]
            if len(self._done) == 1:
                remove(self._storage, self._job_id, self._fence - 1)
        except FileNotFoundError:
            logger.debug("%s made place for the next one.", newest.name)
        except OSError as error:
            logger.warning("A checkpoint of job %s could not be stored: %s", self._job_id, error)
            return False
        return True


def _stored(storage: Storage, job_id: str) -> Iterator[_Stored]:
    for fence in storage.names(f"{CHECKPOINTS}/{job_id}"):
        if not fence.isdecimal():
            continue
        for name in storage.names(checkpoints_key(job_id, int(fence))):
            if _NAME.fullmatch(name):
                yield _Stored(_step(name), int(fence), name)


def _step(name: str) -> int:
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else -1
