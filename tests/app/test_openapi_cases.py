"""Requests made up from the OpenAPI document: no answer is a fault of ours, and every one is as documented.

By default it is a few cases, the same every time; `make fuzz` makes up some thousands, others each time.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.openapi import from_asgi
from schemathesis.python.asgi import shutdown_lifespans
from schemathesis.schemas import BaseSchema

from app.main import create_app
from app.openapi import operations
from app.services import keys
from app.settings import Settings
from app.store.database import Database, upgrade
from app.store.storage import Storage
from tests.app.colour_engine import ColourEngine
from tests.app.conftest import Rows
from tests.app.inline_worker import InlineWorker

TOTAL = int(os.environ.get("POUF_FUZZ_CASES", "0"))
FUZZING = TOTAL > 0
STEPS = 20
OPERATIONS = [(method.upper(), path) for path, method, _ in operations(create_app(Settings(), ColourEngine).openapi())]
CASES = max(3, TOTAL // len(OPERATIONS))
WALKS = max(3, CASES // 4)
JOBS = [(), ("paused",), ("running", "failed"), ("running", "succeeded")]


@dataclass
class Service:
    """The API with a worker, rows to name in paths, and a count of what was answered."""

    application: FastAPI
    key: str
    worker: InlineWorker
    ids: dict[str, list[str]]
    answers: Counter[str] = field(default_factory=Counter)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("fuzzed")
    configured = Settings(
        data_dir=folder, device="cpu", redis_url=None, key_requests_per_minute=10**6, key_queued_jobs=10**6,
        key_concurrent_jobs=10**6,
    )  # fmt: skip
    application = create_app(configured, ColourEngine)
    database = Database(configured.database_url)
    upgrade(configured.database_url)
    rows = Rows(database, Storage(configured.storage_url))
    ready = {"status": "ready", "fingerprint": "f" * 64}
    _, key = keys.create(configured, database, keys.NewKey("local", "fuzz", ["admin"]))
    hook = rows.webhook()
    ids = {
        "dataset_id": [rows.dataset(**ready), rows.dataset("uploading")],
        "job_id": [rows.job(*path, dataset_id=rows.dataset(**ready)) for path in JOBS],
        "model_id": [rows.model(), rows.model()],
        "name": ["best"],
        "webhook_id": [hook, rows.webhook()],
        "delivery_id": [rows.delivery(hook)],
    }
    made = Service(application, key, InlineWorker(configured, folder / "artifact"), ids)
    yield made
    shutdown_lifespans()
    database.dispose()


@pytest.fixture(scope="module")
def document(service: Service) -> BaseSchema:
    schema = from_asgi("/openapi.json", service.application)
    schema.config.generation.with_security_parameters = False
    # a valid form may still be refused: for class names that are the same, say, or a dataset that is not there
    schema.config.checks.positive_data_acceptance.enabled = False

    @schema.hook
    def before_generate_path_parameters(context: Any, strategy: Any) -> Any:
        names = [p.name for p in context.operation.path_parameters]
        return strategy | st.fixed_dictionaries({name: st.sampled_from(service.ids[name]) for name in names})

    @schema.hook
    def after_call(context: Any, case: Any, response: Any) -> None:
        service.answers[str(response.status_code)] += 1
        service.worker.work()

    return schema


BOUNDS = settings(
    max_examples=CASES,
    derandomize=not FUZZING,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if FUZZING else [])],
)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_an_answer_is_as_documented(service, document, method, path):
    operation = document[path][method]
    cases = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if operation.query or operation.body:
        cases |= operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    # not being ready is an answer that the operation is for
    excluded = [not_a_server_error] if path == "/health/ready" else []

    @BOUNDS
    @given(case=cases)
    def ask(case):
        case.call_and_validate(headers=service.headers, excluded_checks=excluded)

    ask()


def test_a_walk_along_the_links_is_as_documented(service, document):
    class Walk(document.as_state_machine()):
        def get_call_kwargs(self, case):
            return {"headers": service.headers}

    Walk.run(settings=settings(BOUNDS, max_examples=WALKS, stateful_step_count=STEPS))


@pytest.mark.skipif(not FUZZING, reason="only `make fuzz` makes up many")
def test_as_many_cases_were_made_up_as_were_asked_for(service, capsys):
    with capsys.disabled():
        sys.stdout.write(f" {service.answers.total():,} answers: {dict(sorted(service.answers.items()))} ")
    assert service.answers.total() >= TOTAL
