"""Runs one attempt of one batch prediction: claim, child process, outcome."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from store.clock import utcnow
from store.database import Database
from store.leases import Lease, LeaseLost, database_now
from store.outages import patiently
from store.redaction import redact_paths
from store.storage_keys import dataset_key, predictions_key
from store.tables import AdaptedModel, BatchPrediction
from store.transitions import FINAL
from worker.batch_predictions import attempts
from worker.batch_predictions.journal import Journal
from worker.batch_predictions.spec import BatchSpec
from worker.process_context import WorkerContext, lack_of_space
from worker.shutdown import ShuttingDown, shutdown_requested
from worker.training.attempt_run import AttemptRun
from worker.training.messages import ErrorMessage, PostponedMessage, PredictedMessage, StoppedMessage
from worker.training.process import ChildProcess
from worker.training.runner import kept_features, training_device
from worker.training.supervision import AttemptOutcome, Lost
from worker.training.target_files import TargetFiles
from worker.training.warm_start import WarmStart

logger = logging.getLogger(__name__)

CHILD = "worker.batch_predictions.child"
FOLDER = "batch-predictions"


def run_batch(
    context: WorkerContext,
    batch_id: str,
    shutdown_requested: Callable[[], bool] = shutdown_requested,
    warm_start: WarmStart | None = None,
) -> None:
    """Run a batch prediction if it is this worker's to run; a duplicate delivery does nothing.

    Args:
        context: of this process.
        batch_id: the batch prediction's.
        shutdown_requested: whether to leave the rest to another worker.
        warm_start: begins its process from a template; None starts it by itself.
    """
    if shutdown_requested():
        return  # the reaper wakes another worker up
    lack = lack_of_space(context)
    if lack is not None:
        logger.warning("Batch prediction %s waits: %s.", batch_id, lack)
        sweep(context.database, context.settings.data_dir)
        return  # the reaper wakes a worker up later
    with context.database.write() as session:
        now, seconds = database_now(session), context.settings.lease_seconds
        lease = attempts.begin_attempt(session, batch_id, context.worker_id, now, seconds)
    if lease is None:
        logger.debug("Batch prediction %s is not to be run now.", batch_id)
        sweep(context.database, context.settings.data_dir)
        return
    try:
        _Run(context, lease, shutdown_requested, warm_start).run()
    except LeaseLost:
        logger.warning("Batch prediction %s was taken over by another worker; this attempt ends.", batch_id)
    finally:
        sweep(context.database, context.settings.data_dir)
    context.publish()


def sweep(database: Database, data_dir: Path) -> None:
    """Remove what batch predictions that have ended, or are gone, left on this disk."""
    folder = data_dir / FOLDER
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if not found:
        return
    with database.read() as session:
        query = select(BatchPrediction.id).where(BatchPrediction.id.in_(found), BatchPrediction.status.not_in(FINAL))
        kept = set(session.scalars(query))
    for name in found - kept:
        shutil.rmtree(folder / name, ignore_errors=True)


class _Run(AttemptRun[BatchPrediction]):
    """One attempt at a batch prediction."""

    noun = "Batch prediction"

    def __init__(
        self,
        context: WorkerContext,
        lease: Lease[BatchPrediction],
        shutdown_requested: Callable[[], bool],
        warm_start: WarmStart | None,
    ) -> None:
        super().__init__(context, lease, shutdown_requested, warm_start)
        self._folder = context.settings.data_dir / FOLDER / lease.row_id
        self._work_dir = self._folder / str(lease.fence)

    def run(self) -> None:
        """Prepare, predict, and record the outcome; raises `LeaseLost`."""
        try:
            with self._keeper, self._storage.in_use(*patiently(self._keys, self._keeper.check)):
                self._finish(self._outcome_of(self._predict))
        finally:
            shutil.rmtree(self._work_dir, ignore_errors=True)

    def _predict(self) -> AttemptOutcome:
        context = self._context
        with self._copying():
            specification = patiently(self._specification, self._check)
            seconds_left = patiently(self._seconds_left, self._check)
        log = context.settings.log_dir / f"{self._lease.row_id}.log"
        child = ChildProcess.start(specification, self._work_dir, log, self._warm_start, CHILD, self._check)
        journal = Journal(context.database, self._lease)
        try:
            outcome = self._supervision(child, journal, seconds_left).run()
        finally:
            child.close()
        self._persist(journal.flush)
        return outcome

    def _seconds_left(self) -> float:
        with self._context.database.read() as session:
            batch = session.get_one(BatchPrediction, self._lease.row_id)
        return attempts.seconds_left(batch, self._context.settings.job_max_seconds, utcnow())

    def _specification(self) -> BatchSpec:
        settings, storage = self._context.settings, self._storage
        with self._context.database.read() as session:
            batch = session.get_one(BatchPrediction, self._lease.row_id)
            artifact = session.get_one(AdaptedModel, batch.model_id).storage_key
            files = TargetFiles.of_items(session, batch.dataset_id)
        return BatchSpec(
            batch_id=batch.id,
            fence=self._lease.fence,
            artifact=storage.local_directory(artifact),
            variant=batch.variant,
            threshold=batch.threshold,
            device=training_device(settings.device),
            threads=settings.threads,
            engine=settings.engine,
            engine_dir=settings.engine_dir,
            precision=None if settings.precision == "auto" else settings.precision,
            memory_bytes=settings.job_memory_bytes,
            **kept_features(self._context, batch.owner),
            parts_dir=self._folder / "parts" / settings.precision,
            predictions_dir=self._work_dir / "predictions",
            **files.items_on_this_machine(storage),
        )

    def _finish(self, outcome: AttemptOutcome) -> None:
        settings = self._context.settings
        if isinstance(outcome, PredictedMessage):
            self._publish(outcome.predictions)
        elif isinstance(outcome, ErrorMessage):
            code, message = outcome.code, redact_paths(outcome.message, settings)
            self._end(lambda _, batch: attempts.fail(batch, code, message))
        elif isinstance(outcome, StoppedMessage):
            self._end(attempts.stop)
        elif isinstance(outcome, PostponedMessage):
            logger.warning("Batch prediction %s is requeued: %s", self._lease.row_id, outcome.reason)
            self._end(lambda _, batch: attempts.postpone(batch))
        else:
            assert isinstance(outcome, Lost)
            reason = redact_paths(outcome.reason, settings)
            self._end(lambda session, batch: attempts.lose(session, batch, reason, settings))

    def _publish(self, predictions: Path) -> None:
        # Every attempt would store the same bytes here, so that what a lost one left is as good.
        key = predictions_key(self._lease.row_id)
        size = sum(file.stat().st_size for file in predictions.iterdir())
        try:
            with self._copying():
                self._storage.put_directory(key, predictions)
                ended: list[bool] = []
                self._end(lambda _, batch: ended.append(attempts.succeed(batch, key, size)))
            if not ended[-1]:
                self._storage.discard(key)
        except ShuttingDown:
            self._end(attempts.stop)
        except OSError as error:
            self._finish(self._unable(error))

    def _keys(self) -> list[str]:
        with self._context.database.read() as session:
            batch = session.get_one(BatchPrediction, self._lease.row_id)
            return [dataset_key(batch.dataset_id), session.get_one(AdaptedModel, batch.model_id).storage_key]
