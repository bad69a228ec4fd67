"""Rows made directly, where a route would need a worker and a worker a route."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from pouf_core.contract.request import AdaptationRequest
from pouf_core.contract.result import PartialResult
from store.database import Database
from store.ids import new_id
from store.storage import Storage
from store.storage_keys import picture_key
from store.tables import (
    AdaptedModel,
    Audit,
    AuditAnswer,
    AuditItem,
    BatchPrediction,
    Dataset,
    DatasetItem,
    Job,
    Webhook,
    WebhookDelivery,
)
from store.transitions import start_life, transition
from tests.app.colour_engine import COLOURS

#: The shortest way of a job to each status, as `rows.job` takes it.
PATHS = {
    "queued": (),
    "running": ("running",),
    "pausing": ("running", "pausing"),
    "paused": ("paused",),
    "cancelling": ("running", "cancelling"),
    "succeeded": ("running", "succeeded"),
    "failed": ("failed",),
    "cancelled": ("cancelled",),
}


def take_request(values: dict[str, Any], **defaults: Any) -> AdaptationRequest:
    """Make a request of those of the values that are fields of one, which are taken out."""
    given = {name: values.pop(name) for name in AdaptationRequest.model_fields if name in values}
    return AdaptationRequest.model_validate(defaults | given)


def take_result(values: dict[str, Any]) -> PartialResult:
    """Make a result of those of the values that are fields of one, which are taken out."""
    return PartialResult.model_validate(
        {name: values.pop(name) for name in PartialResult.model_fields if name in values}
    )


@dataclass
class Rows:
    """Makes rows directly, where a route would need a worker."""

    database: Database
    storage: Storage

    def dataset(self, status: str = "ready", **values: Any) -> str:
        dataset = Dataset(id=new_id("ds"), status=status, **{"owner": "local", "modality": "image", **values})
        with self.database.write() as session:
            session.add(dataset)
        return dataset.id

    def picture(self, dataset_id: str, data: bytes, status: str = "accepted") -> str:
        """A picture of a dataset; returns its hash."""
        sha256 = hashlib.sha256(data).hexdigest()
        key = picture_key(dataset_id, sha256)
        if status == "accepted":
            self.storage.put_stream(key, [data])
        columns = {"sha256": sha256, "storage_key": key, "size": len(data)}
        with self.database.write() as session:
            session.add(DatasetItem(dataset_id=dataset_id, name="a.png", status=status, **columns))
        return sha256

    def job(self, *path: str, dataset_id: str | None = None, **values: Any) -> str:
        """A queued job moved along `path`."""
        job = Job(
            id=new_id("job"),
            dataset_id=dataset_id or self.dataset(),
            request=take_request(
                values, base_model="pouf-lite", class_names=COLOURS, prompt_template=["a photo of a {}."]
            ),
            result=take_result(values),
            **{"owner": "local", **values},
        )
        with self.database.write() as session:
            start_life(session, job)
            for status in path:
                transition(session, job, status)
        return job.id

    def move(self, job_id: str, status: str, stage: str | None = None) -> None:
        with self.database.write() as session:
            transition(session, session.get_one(Job, job_id), status, stage)

    def model(self, **values: Any) -> str:
        model_id = new_id("mdl")
        key = f"models/{model_id}"
        self.storage.put_stream(
            f"{key}/pouf.json", [json.dumps({"id": model_id, "base_model": {"name": "pouf-lite"}}).encode()]
        )
        self.storage.put_stream(f"{key}/adapter.safetensors", [b"x" * 1_000_000])
        row = AdaptedModel(
            id=model_id,
            job_id=values.pop("job_id", None) or self.job("running", "succeeded"),
            request=take_request(
                values, base_model="pouf-lite", class_names=COLOURS, prompt_template=["a photo of a {}."]
            ),
            result=take_result(values),
            storage_key=key,
            size_bytes=1,
            fingerprint="f" * 64,
            **{"owner": "local", **values},
        )
        with self.database.write() as session:
            session.add(row)
        return model_id

    def model_of(self, job_id: str, **values: Any) -> str:
        """The published model of a job that has ended."""
        with self.database.read() as session:
            job = session.get_one(Job, job_id)
        model_id = self.model(job_id=job_id, class_names=job.request.class_names, **values)
        with self.database.write() as session:
            session.get_one(Job, job_id).model_id = model_id
        return model_id

    def audit(self, job_id: str, size: int = 2, *, answered: bool = False) -> str:
        """An audit of a job, whose dataset has the drawn items."""
        audit_id = new_id("aud")
        hashes = [hashlib.sha256(f"{audit_id} {place}".encode()).hexdigest() for place in range(size)]
        counts = {"items": [2 * size], "drawn": [size], "suspected": False}
        domains = {"changed": {"items": [size]}, "classes": [], "thresholds": []}
        classes = {"adapted": 0, "zero_shot": 1, "runner_up": 1}
        scores = {"probability": 0.8, "runner_up_probability": 0.1}
        with self.database.write() as session:
            job = session.get_one(Job, job_id)
            audit = Audit(
                id=audit_id,
                owner=job.owner,
                job_id=job_id,
                dataset_id=job.dataset_id,
                size=size,
                seed=0,
                wished_accuracy=0.95,
                design={"served": "adapted", **counts, **domains},
            )
            session.add(audit)
            session.flush()
            for place, sha256 in enumerate(hashes):
                shared = {"sha256": sha256, "name": f"{place}.png"}
                session.add(DatasetItem(dataset_id=job.dataset_id, status="accepted", **shared))
                known = {"audit_id": audit_id, "position": place + 1, "sha256": sha256, "stratum": 0}
                session.add(AuditItem(**known, **classes, **scores))
                if answered:
                    said = {"person": "ann", "kind": "label", "label": 0}
                    session.add(AuditAnswer(audit_id=audit_id, position=place + 1, **said))
        return audit_id

    def batch(self, status: str, dataset_id: str | None = None, **values: Any) -> str:
        """A batch prediction."""
        columns = {"owner": "local", "model_id": "mdl_1", "item_count": 4, **values}
        row = BatchPrediction(id=new_id("bat"), status=status, dataset_id=dataset_id or self.dataset(), **columns)
        with self.database.write() as session:
            session.add(row)
        return row.id

    def webhook(self, url: str = "https://example.com/hook", **values: Any) -> str:
        columns = {"owner": "local", "event_types": ["job.succeeded"], "secret": "whsec_c2VjcmV0", **values}
        hook = Webhook(id=new_id("whk"), url=url, **columns)
        with self.database.write() as session:
            session.add(hook)
        return hook.id

    def delivery(self, webhook_id: str, **values: Any) -> str:
        columns = {"owner": "local", "job_id": "job_1", "event_type": "job.succeeded", "body": "{}", **values}
        delivery = WebhookDelivery(id=new_id("msg"), webhook_id=webhook_id, **columns)
        with self.database.write() as session:
            session.add(delivery)
        return delivery.id
