"""A worker that works when it is told to: real ingestion, and training that publishes an empty model."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pouf_core.contract.method import ResolvedBaseline
from pouf_core.contract.result import AdaptationResult
from store.clock import utcnow
from store.leases import Lease, LeaseLost
from store.outbox import publish_pending
from store.publication import publish_model
from store.settings import Settings
from store.tables import Job
from store.transitions import TransitionNotAllowed
from worker.ingestion.run import run_ingestion
from worker.process_context import WorkerContext, create_context
from worker.training import attempts

METHOD = ResolvedBaseline(
    type="zero-shot", class_prior=None, class_prior_source="none", threads=1, device="cpu", precision="float32"
)
RESULT = AdaptationResult(method=METHOD, verdict="uncertain", selected_step=0, seconds=1.0)


class InlineWorker:
    """Does what the outbox asks for in the caller's thread."""

    def __init__(self, settings: Settings, artifact: Path) -> None:
        self.context: WorkerContext = replace(create_context(settings, self._perform), send=self._perform)
        self._artifact = artifact
        artifact.mkdir(parents=True, exist_ok=True)
        (artifact / "pouf.json").write_text(json.dumps({"format": 1}))

    def work(self) -> None:
        """Do everything that is to be done."""
        while publish_pending(self.context.database, self._perform):
            continue

    def claim(self, job_id: str) -> Lease[Job] | None:
        """Begin an attempt."""
        with self.context.database.write() as session:
            seconds = self.context.settings.lease_seconds
            return attempts.begin_attempt(session, job_id, self.context.worker_id, utcnow(), seconds)

    def publish(self, lease: Lease[Job]) -> str | None:
        """End an attempt with a model; None when the job was taken away or is being cancelled."""
        try:
            return publish_model(self.context.database, self.context.storage, lease, self._artifact, RESULT)
        except (LeaseLost, TransitionNotAllowed):
            return None

    def _perform(self, task: str, queue: str, payload: dict[str, Any]) -> None:
        if task == "pouf.ingest":
            run_ingestion(self.context, payload["dataset_id"], lambda: False)
        elif task == "pouf.train" and (lease := self.claim(payload["job_id"])) is not None:
            self.publish(lease)
