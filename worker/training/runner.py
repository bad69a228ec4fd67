"""Runs one attempt of one job: claim, child process, outcome."""

from __future__ import annotations

import logging
import math
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select

from pouf_core.contract.method import ResolvedBaseline, ResolvedClosedForm, ResolvedMethod
from store import feature_files
from store.clock import utcnow
from store.disk import scarcest
from store.job_datasets import datasets_of
from store.leases import LeaseLost
from store.outages import patiently
from store.publication import publish_model, remove_unpublished
from store.redaction import redact_paths
from store.storage_keys import dataset_key
from store.tables import Job
from store.transitions import FINAL, TransitionNotAllowed, ran_seconds
from worker.process_context import WorkerContext, lack_of_space
from worker.shutdown import ShuttingDown, shutdown_requested
from worker.training import attempts, checkpoints, queueing, stored_checkpoints
from worker.training.attempt_run import AttemptRun
from worker.training.journal import Journal
from worker.training.memory_check import room_for_job
from worker.training.messages import ErrorMessage, JobSpec, PostponedMessage, ResultMessage, StoppedMessage
from worker.training.process import ChildProcess
from worker.training.stored_checkpoints import Uploader
from worker.training.supervision import AttemptOutcome, Lost
from worker.training.target_files import TargetFiles
from worker.training.template import TRAINING
from worker.training.warm_start import WarmStart

logger = logging.getLogger(__name__)


def run_job(
    context: WorkerContext,
    job_id: str,
    shutdown_requested: Callable[[], bool] = shutdown_requested,
    warm_start: WarmStart | None = None,
) -> None:
    """Run a job if it is this worker's to run; a duplicate delivery does nothing.

    Args:
        warm_start: begins its process from a template; None starts it by itself.
    """
    if shutdown_requested():
        return  # the reaper wakes another worker up
    lack = lack_of_space(context)
    if lack is not None and feature_files.forget_all(context.settings.feature_dir):
        logger.warning("All kept features were removed: %s.", lack)
        lack = lack_of_space(context)
    if lack is not None:
        with context.database.write() as session:
            is_news = attempts.wait_for_space(session, job_id)
        if is_news:
            logger.warning("Job %s waits: %s.", job_id, lack)
        checkpoints.sweep(context.database, context.settings.data_dir)
        return
    settings = context.settings
    room = room_for_job(settings)
    lease = queueing.begin(context.database, job_id, context.worker_id, settings.lease_seconds, room)
    if lease is None:
        logger.debug("Job %s is not to be run now.", job_id)
        return
    try:
        JobRun(context, lease, shutdown_requested, warm_start).run()
    except LeaseLost:
        logger.warning("Job %s was taken over by another worker; this attempt ends.", job_id)
    finally:
        checkpoints.sweep(context.database, context.settings.data_dir)
    context.publish()


def training_device(device: str) -> str:
    """The device as the child sees it: a worker that is shown one GPU knows it as the first, whatever its number."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return "cuda" if device.startswith("cuda:") and shown and "," not in shown else device


def earlier_threads(job: Job) -> int | None:
    """The CPU threads that an earlier attempt used; None when there was none."""
    method = job.result.method
    if isinstance(method, ResolvedMethod | ResolvedBaseline | ResolvedClosedForm):
        return method.threads
    threads = (method or {}).get("threads")  # as an older version wrote it
    return threads if isinstance(threads, int) else None


def kept_features(context: WorkerContext, owner: str) -> dict[str, Any]:
    """The fields of `WorkSpec` that are about the features that an owner's work shares."""
    settings = context.settings
    if not settings.feature_cache_bytes:
        return {}
    feature_files.forget_deleted(context.database, settings.feature_dir)
    return {
        "feature_dir": feature_files.owner_directory(settings.feature_dir, owner),
        "feature_bytes": settings.feature_cache_bytes,
        # New work waits at the floor: features must not be what it waits for.
        "least_free_bytes": 2 * scarcest(settings, context.storage).floor,
    }


class JobRun(AttemptRun[Job]):
    """One attempt at a job."""

    noun = "Job"

    @property
    def _data_dir(self) -> Path:
        return self._context.settings.data_dir

    def run(self) -> None:
        """Prepare, train, and record the outcome; raises `LeaseLost`."""
        work_dir = checkpoints.work_dir(self._data_dir, self._lease.row_id, self._lease.fence)
        try:
            with self._keeper, self._storage.in_use(*patiently(self._datasets, self._keeper.check)):
                self._finish(self._outcome_of(partial(self._train, work_dir)))
        finally:
            shutil.rmtree(work_dir, ignore_errors=True)
        self._remove_what_a_final_job_leaves()

    def _train(self, work_dir: Path) -> AttemptOutcome:
        job_id, context = self._lease.row_id, self._context
        with self._copying():
            specification = patiently(partial(self._specification, work_dir), self._check)
            seconds_left = patiently(self._seconds_left, self._check)
        log = checkpoints.log_file(self._data_dir, job_id)
        child = ChildProcess.start(specification, work_dir, log, self._warm_start, TRAINING, self._check)
        journal = Journal(context.database, self._lease)
        try:
            watch = self._supervision(child, journal, seconds_left)
            with self._uploading(specification.checkpoint_dir) as uploader:
                outcome = watch.run()
                if isinstance(outcome, ResultMessage | ErrorMessage):
                    uploader.leave_last()
        finally:
            child.close()
        self._persist(journal.flush)
        if isinstance(outcome, ResultMessage):
            metrics = outcome.result.metrics
            self._persist(lambda: journal.complete(metrics))
        return outcome

    def _specification(self, work_dir: Path) -> JobSpec:
        job_id, fence = self._lease.row_id, self._lease.fence
        settings = self._context.settings
        remove_unpublished(self._context.database, self._storage, job_id)
        with self._context.database.read() as session:
            job = session.get_one(Job, job_id)
            files = TargetFiles.of_job(session, job)
        return JobSpec(
            job_id=job_id,
            fence=fence,
            request=job.request,
            device=training_device(settings.device),
            # A resumed attempt keeps the thread count it began with: results depend on it.
            threads=earlier_threads(job) or settings.threads,
            engine=settings.engine,
            engine_dir=settings.engine_dir,
            deterministic=settings.deterministic,
            processes=settings.gpus_per_job,
            memory_bytes=settings.job_memory_bytes,
            **kept_features(self._context, job.owner),
            checkpoint_dir=self._inherited_checkpoints(),
            checkpoint_seconds=settings.checkpoint_interval_seconds,
            artifact_dir=work_dir / "artifact",
            predictions_dir=work_dir / "predictions",
            **files.on_this_machine(self._storage),
        )

    def _inherited_checkpoints(self) -> Path:
        """Where this attempt keeps its checkpoints, with the newest of earlier ones, of whichever host."""
        job_id, fence = self._lease.row_id, self._lease.fence
        directory = checkpoints.inherit_checkpoints(self._data_dir, job_id, fence)
        stored_checkpoints.fetch_newer(self._storage, job_id, fence, directory)
        return directory

    def _seconds_left(self) -> float:
        """How long the job may still run, whatever its earlier attempts came to."""
        limit = self._context.settings.job_max_seconds
        if limit is None:
            return math.inf
        with self._context.database.read() as session:
            job = session.get_one(Job, self._lease.row_id)
        return max(limit - ran_seconds(job.status_transitions, utcnow()), 0.0)

    def _finish(self, outcome: AttemptOutcome) -> None:
        settings = self._context.settings
        if isinstance(outcome, ResultMessage):
            self._publish(outcome)
        elif isinstance(outcome, ErrorMessage):
            code, message = outcome.code, redact_paths(outcome.message, settings)
            self._end(lambda session, job: attempts.fail(session, job, code, message))
        elif isinstance(outcome, StoppedMessage):
            self._end(attempts.stop)
        elif isinstance(outcome, PostponedMessage):
            detail, lack = redact_paths(outcome.reason, settings), outcome.lack
            logger.warning("Job %s is requeued, %s: %s", self._lease.row_id, lack, outcome.reason)
            self._end(lambda session, job: attempts.postpone(session, job, detail, lack))
        else:
            assert isinstance(outcome, Lost)
            reason = redact_paths(outcome.reason, settings)
            self._end(lambda session, job: attempts.lose(session, job, reason, settings))

    def _publish(self, message: ResultMessage) -> None:
        database, storage = self._context.database, self._storage
        parts = message.artifact, message.result, message.predictions
        try:
            with self._copying():
                self._persist(lambda: publish_model(database, storage, self._lease, *parts))
        except (TransitionNotAllowed, ShuttingDown):  # cancelled while the last step ran; an outage until the end
            self._end(attempts.stop)
        except OSError as error:
            self._finish(self._unable(error))

    def _datasets(self) -> list[str]:
        with self._context.database.read() as session:
            job = session.get_one(Job, self._lease.row_id)
            return [dataset_key(dataset.id) for dataset in datasets_of(session, job)]

    def _uploading(self, directory: Path) -> AbstractContextManager[Uploader]:
        """Around the training; not by the patient storage, since nothing waits for it."""
        storage, lease = self._context.storage, self._lease
        return stored_checkpoints.uploading(storage, lease.row_id, lease.fence, directory)

    def _remove_what_a_final_job_leaves(self) -> None:
        job_id, fence = self._lease.row_id, self._lease.fence
        with self._context.database.read() as session:
            query = select(Job.status).where(Job.id == job_id, Job.fence == fence)
            status = session.scalars(query).one_or_none()
        if status in FINAL:
            checkpoints.remove_files(self._data_dir, job_id, fence)
            stored_checkpoints.remove(self._context.storage, job_id, fence)
            remove_unpublished(self._context.database, self._context.storage, job_id)
