"""A service for made-up requests: the API with a worker, rows to name in paths, and a count of what happened."""

import io
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from PIL import Image
from schemathesis.openapi import from_asgi
from schemathesis.schemas import BaseSchema
from sqlalchemy import delete

from app.keys import service as keys
from app.main import create_app
from store.database import Database, upgrade
from store.settings import Settings
from store.storage import Storage
from store.tables import ApiKey, Base
from tests.app.colour_engine import ColourEngine
from tests.app.inline_worker import InlineWorker
from tests.rows import Rows

# How many paths name a row to one that names anything.
IDS_TO_ONE = 4
JOBS = [(), ("paused",), ("running", "failed"), ("running", "succeeded")]


def picture() -> bytes:
    """A PNG file."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "PNG")
    return buffer.getvalue()


# Sent as often as what is made up, which is hardly ever a picture, a base model or a URL.
BODIES: dict[str, list[dict[str, Any]]] = {
    "POST /v1/datasets": [{"files": [picture()]}, {"files": [picture()], "finalize": False}],
    "POST /v1/jobs": [{"dataset_id": "ds_1", "class_names": ["red", "blue"]}],
    "POST /v1/batch-predictions": [{"model": "best", "dataset_id": "ds_1"}],
    "POST /v1/webhooks": [{"url": "https://example.com/hook"}],
    "PUT /v1/jobs/{job_id}/audits/{audit_id}/answers": [
        {"answers": [{"item": "0.png", "label": "red"}, {"item": "1.png", "answer": "none_of_these"}]}
    ],
}


class FuzzedService:
    """Counts `answers` by status, and the `links` followed by whether they led to a success."""

    def __init__(self, folder: Path) -> None:
        unlimited = 10**6
        self.settings = Settings(
            data_dir=folder,
            device="cpu",
            redis_url=None,
            key_requests_per_minute=unlimited,
            key_queued_jobs=unlimited,
            key_concurrent_jobs=unlimited,
        )
        self.application = create_app(self.settings, ColourEngine)
        upgrade(self.settings.database_url)
        self.database = Database(self.settings.database_url)
        self.worker = InlineWorker(self.settings, folder / "artifact")
        self._key, key = keys.create(self.settings, self.database, keys.NewKey("local", "fuzz", ["admin"]))
        self.headers = {"Authorization": f"Bearer {key}"}
        self.answers: Counter[str] = Counter()
        self.links: Counter[bool] = Counter()
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what was done, but for the key: the same requests get the same answers again."""
        with self.database.write() as session:
            for table in reversed(Base.metadata.sorted_tables):
                if table is not ApiKey.__table__:
                    session.execute(delete(table))
            session.execute(delete(ApiKey).where(ApiKey.id != self._key.id))
        other, _ = keys.create(self.settings, self.database, keys.NewKey("local", "other", ["read"]))
        rows = Rows(self.database, Storage(self.settings.storage_url))
        ready = {"status": "ready", "fingerprint": "f" * 64}
        hook = rows.webhook()
        dataset = rows.dataset(**ready)
        self.ids = {
            "dataset_id": [dataset, rows.dataset("uploading")],
            "sha256": [rows.picture(dataset, picture())],
            "job_id": [rows.job(*path, dataset_id=rows.dataset(**ready)) for path in JOBS],
            "batch_id": [rows.batch(status) for status in ("queued", "running", "succeeded")],
            "model_id": [rows.model(), rows.model()],
            "name": ["best"],
            "webhook_id": [hook, rows.webhook()],
            "delivery_id": [rows.delivery(hook)],
            "key_id": [other.id],
        }
        self.ids["audit_id"] = [rows.audit(job_id) for job_id in self.ids["job_id"]]

    def id_of(self, name: str) -> st.SearchStrategy[str]:
        """Values of a path parameter that name rows which are there when the value is drawn."""
        return st.integers(0, len(self.ids[name]) - 1).map(lambda index: self.ids[name][index])

    def document(self) -> BaseSchema:
        """The service's OpenAPI document, whose cases name its rows and whose calls are counted here."""
        schema = from_asgi("/openapi.json", self.application)
        schema.config.generation.with_security_parameters = False
        # a valid form may still be refused: for class names that are the same, say, or a dataset that is not there
        schema.config.checks.positive_data_acceptance.enabled = False

        @schema.hook
        def before_generate_path_parameters(context: Any, strategy: Any) -> Any:
            names = [parameter.name for parameter in context.operation.path_parameters]
            there = [st.fixed_dictionaries({name: self.id_of(name) for name in names}) for _ in range(IDS_TO_ONE)]
            return st.one_of(strategy, *there)

        @schema.hook
        def before_generate_body(context: Any, strategy: Any) -> Any:
            bodies = BODIES.get(context.operation.label)
            return strategy if bodies is None else strategy | st.sampled_from(bodies)

        @schema.hook
        def after_call(context: Any, case: Any, response: Any) -> None:
            self.answers[str(response.status_code)] += 1
            self.worker.work()

        return schema
