"""Where the attempts of a job keep checkpoints and working files: `<data_dir>/checkpoints/<job>/<fence>`.

The fence is part of the path, so an attempt that lost its lease can only write where nothing is read any more.
These are directories of the worker's own disk. With a remote storage, `stored_checkpoints` keeps copies there, so that
a job can go on on another host; with hosts that share a directory as their storage, let them share `checkpoints` too.
"""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from store.clock import utcnow
from store.database import Database
from store.tables import Job
from store.transitions import FINAL

logger = logging.getLogger(__name__)

COPY_TRIES = 3
COPYING = ".{}.copying"  # the name of an attempt's directory until it is whole
#: A final job's files are left alone this long, so that its last attempt can still clean up after itself.
SWEEP_AFTER = timedelta(seconds=60)


def checkpoint_dir(data_dir: Path, job_id: str, fence: int) -> Path:
    """Where the attempt with this fence keeps its checkpoints."""
    return data_dir / "checkpoints" / job_id / str(fence)


def work_dir(data_dir: Path, job_id: str, fence: int) -> Path:
    """Where the attempt with this fence keeps its specification and its unpublished artifact."""
    return data_dir / "work" / job_id / str(fence)


def log_file(data_dir: Path, job_id: str) -> Path:
    """What the job's processes printed; it is kept with the job."""
    return data_dir / "logs" / f"{job_id}.log"


def inherit_checkpoints(data_dir: Path, job_id: str, fence: int) -> Path:
    """Make the attempt's checkpoint directory, with the newest earlier attempt's checkpoints; drop older attempts."""
    target = checkpoint_dir(data_dir, job_id, fence)
    target.parent.mkdir(parents=True, exist_ok=True)
    earlier = [path for path in _fences(target.parent) if int(path.name) < fence]
    newest = next((path for path in earlier if any(path.iterdir())), None)
    if newest is not None:
        _copy(newest, target)
    target.mkdir(exist_ok=True)
    for path in earlier:
        shutil.rmtree(path, ignore_errors=True)
    return target


def remove_files(data_dir: Path, job_id: str, fence: int) -> None:
    """Remove checkpoints and working files of a job's attempts up to a fence."""
    for parent in (data_dir / "checkpoints" / job_id, data_dir / "work" / job_id):
        for path in [*_fences(parent), *parent.glob(COPYING.format("*"))]:
            if int(path.name.strip(".").removesuffix(".copying")) <= fence:
                shutil.rmtree(path, ignore_errors=True)
        if parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()


def sweep(database: Database, data_dir: Path) -> None:
    """Remove what final jobs, and deleted ones, left on this disk."""
    kept = {path.name for kind in ("checkpoints", "work") for path in (data_dir / kind).glob("job_*")}
    if not kept:
        return
    with database.read() as session:
        rows = session.execute(
            select(Job.id, Job.fence).where(
                Job.id.in_(kept), Job.status.in_(FINAL), Job.finished_at < utcnow() - SWEEP_AFTER
            )
        ).all()
        known = set(session.scalars(select(Job.id).where(Job.id.in_(kept))))
    for job_id in kept - known:
        for kind in ("checkpoints", "work"):
            shutil.rmtree(data_dir / kind / job_id, ignore_errors=True)
    for job_id, fence in rows:
        # A retry that begins right now has a higher fence, so nothing of it is removed.
        remove_files(data_dir, job_id, fence)


def _fences(parent: Path) -> list[Path]:
    """The attempts' directories, newest first."""
    paths = parent.iterdir() if parent.is_dir() else []
    return sorted((path for path in paths if path.name.isdecimal()), key=lambda path: int(path.name), reverse=True)


def _copy(source: Path, target: Path) -> None:
    temporary = target.with_name(COPYING.format(target.name))
    for attempt in range(1, COPY_TRIES + 1):
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            shutil.copytree(source, temporary)
        except (shutil.Error, FileNotFoundError):
            # An older attempt that has not noticed yet that it lost its lease replaces files meanwhile.
            logger.warning("Checkpoints in %s changed while they were copied (try %s).", source, attempt)
            if attempt == COPY_TRIES:
                raise
        else:
            temporary.replace(target)
            return
