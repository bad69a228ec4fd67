"""Writes what a running child reports into the database: batched, throttled, and only under the fence."""

from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from pouf_core.contract.findings import Finding
from pouf_core.contract.method import Resolved
from pouf_core.contract.progress import Metrics, Progress
from store.clock import utcnow
from store.database import Database
from store.job_warnings import add_warnings
from store.leases import Lease, fenced
from store.tables import Job, JobMetric
from store.transitions import append_event, transition
from worker.training.attempts import note_checkpoint

#: A progress event is written for every such share of a stage, and at least this often in seconds.
EVENT_FRACTION = 0.01
EVENT_SECONDS = 10.0


class Journal:
    """The reports of one attempt that are still to be written."""

    def __init__(self, database: Database, lease: Lease[Job]) -> None:
        self._database = database
        self._lease = lease
        self._stages: list[str] = []
        self._latest: Progress | None = None
        self._metrics: list[tuple[int, Metrics, datetime]] = []
        self._warnings: list[Finding] = []
        self._method: Resolved | None = None
        self._checkpoint_step: int | None = None
        self._event_at: datetime | None = None
        self._event_fraction = 0.0

    @property
    def pending(self) -> bool:
        """Whether something is to be written."""
        return self._latest is not None

    def note(self, message: Progress) -> None:
        """Keep a report for the next flush."""
        if not self._stages or self._stages[-1] != message.stage:
            self._stages.append(message.stage)
        self._latest = message
        self._method = message.method or self._method
        if message.metrics is not None:
            self._metrics.append((message.step, {**message.metrics, "step": message.step}, utcnow()))
        if message.warning is not None:
            self._warnings.append(message.warning)
        if message.checkpoint_step is not None:
            self._checkpoint_step = message.checkpoint_step

    def flush(self) -> None:
        """Write everything in one transaction; raises `LeaseLost`. What a failed flush held is kept for the next."""
        if self._latest is None:
            return
        with self._database.write() as session:
            job = fenced(session, self._lease)
            self._write(session, job, self._latest)
        self._stages = self._stages[-1:]
        self._latest = None
        self._metrics.clear()
        self._warnings.clear()
        self._method = None
        self._checkpoint_step = None

    def complete(self, metrics: list[Metrics]) -> None:
        """Add steps that an earlier attempt kept in its checkpoint and was killed before reporting."""
        with self._database.write() as session:
            job = fenced(session, self._lease)
            known = set(session.scalars(select(JobMetric.step).where(JobMetric.job_id == job.id)).all())
            steps = {int(numbers["step"] or 0): numbers for numbers in metrics}
            session.add_all(
                JobMetric(job_id=job.id, step=step, data={**numbers, "step": step})
                for step, numbers in steps.items()
                if step not in known
            )

    def _write(self, session: Session, job: Job, latest: Progress) -> None:
        for stage in self._stages:
            transition(session, job, job.status, stage=stage)
        job.step = latest.step
        job.total_steps = latest.total_steps
        if self._method is not None:
            job.result = job.result.model_copy(update={"method": self._method})
            append_event(session, job, "job.method", self._method.model_dump(mode="json"))
        add_warnings(session, job, self._warnings)  # of which a resumed attempt may repeat some
        if self._checkpoint_step is not None:
            note_checkpoint(session, job, self._checkpoint_step)
        self._write_metrics(session, job)
        self._write_progress_event(session, job, latest)
        job.updated_at = utcnow()

    def _write_metrics(self, session: Session, job: Job) -> None:
        if not self._metrics:
            return
        # An attempt that resumes from a checkpoint walks over steps that the lost one had already reported.
        first = self._metrics[0][0]
        session.execute(delete(JobMetric).where(JobMetric.job_id == job.id, JobMetric.step >= first))
        rows = {step: (data, at) for step, data, at in self._metrics}
        session.add_all(
            JobMetric(job_id=job.id, step=step, data=data, created_at=at) for step, (data, at) in rows.items()
        )
        job.latest_metrics = self._metrics[-1][1]

    def _write_progress_event(self, session: Session, job: Job, latest: Progress) -> None:
        now = utcnow()
        fraction = latest.step / latest.total_steps if latest.total_steps else 0.0
        recent = self._event_at is not None and (now - self._event_at).total_seconds() < EVENT_SECONDS
        if recent and abs(fraction - self._event_fraction) < EVENT_FRACTION:
            return
        self._event_at, self._event_fraction = now, fraction
        data: dict[str, JsonValue] = {"stage": latest.stage, "step": latest.step, "total_steps": latest.total_steps}
        if latest.metrics is not None:
            data["metrics"] = {**latest.metrics, "step": latest.step}
        append_event(session, job, "job.progress", data)
