"""No answer, page or download about a job names a directory of the machine or holds a secret."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import select

import pouf_core
from app.auth.key_text import new_key_text, prefix_of
from app.jobs.schemas import show_event, show_job
from app.main import create_app
from app.openapi import operations
from store.settings import Settings
from store.tables import Job, JobEvent
from tests.app.colour_engine import ColourEngine
from tests.worker.warm_jobs import run_job
from worker.process_context import WorkerContext
from worker.training.messages import ErrorMessage, PostponedMessage
from worker.training.runner import JobRun
from worker.training.supervision import Lost

KEY = new_key_text()
BROKER_PASSWORD = "the-password-of-the-broker"


def directories(settings: Settings) -> set[str]:
    """What begins every path of this installation."""
    return {str(path) for path in (settings.data_dir, sys.prefix, Path(pouf_core.__file__).parent.parent)}


@pytest.fixture(scope="module")
def api(undisturbed: tuple[WorkerContext, str]) -> Iterator[TestClient]:
    """A caller with a key, of a service that has run a job."""
    secrets = {"bootstrap_key": SecretStr(KEY), "redis_url": f"redis://:{BROKER_PASSWORD}@127.0.0.1:9/0"}
    settings = undisturbed[0].settings.model_copy(update=secrets)
    with TestClient(create_app(settings, ColourEngine), headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


def test_no_answer_names_a_place_or_holds_a_secret(api: TestClient, undisturbed: tuple[WorkerContext, str]) -> None:
    settings, job_id = undisturbed[0].settings, undisturbed[1]
    job = api.get(f"/v1/jobs/{job_id}").json()
    hook = api.post("/v1/webhooks", json={"url": "https://example.com/hook"}).json()
    ids = {"job_id": job_id, "dataset_id": job["dataset_id"], "model_id": job["model_id"], "name": "best"}
    audit = api.post(f"/v1/jobs/{job_id}/audits", json={"size": 2})
    assert audit.status_code == 201, audit.text
    ids |= {"webhook_id": hook["id"], "audit_id": audit.json()["id"], "sha256": "0" * 64, "batch_id": "bat_0"}
    secrets = {KEY.removeprefix(prefix_of(KEY)), settings.pepper_file.read_text(), settings.database_url}
    private = directories(settings) | secrets | {BROKER_PASSWORD, hook["secret"]}
    answered = []
    for path, method, _ in operations(api.get("/openapi.json").json()):
        if method != "get":
            continue
        compares = path == "/v1/jobs/compare"
        answer = api.get(path.format(**ids), params={"jobs": f"{job_id},job_0"} if compares else None)
        nowhere = compares or "{sha256}" in path or "{batch_id}" in path
        assert answer.status_code == (404 if nowhere else 200) or path == "/health/ready", answer.text
        assert [part for part in private if part.encode() in answer.content] == [], path
        answered.append(path)
    assert {"/v1/models/{model_id}/artifact", "/v1/jobs/{job_id}/report", "/v1/jobs/{job_id}/metrics"} <= {*answered}


@pytest.mark.parametrize("kind", ["error", "no room", "lost"])
def test_an_error_message_names_no_directory_of_the_machine(
    context: WorkerContext,
    add_ready_dataset: Any,
    add_job: Any,
    get: Any,
    database: Any,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    file = str(context.settings.data_dir / "storage" / "blob")
    library = str(Path(sys.prefix) / "lib" / "library.py")
    said = f"{OSError(errno.EIO, 'Input/output error', file)} in {library}"
    outcome = {
        "error": ErrorMessage(code="base_model_unavailable", message=said),
        "no room": PostponedMessage(reason=said),
        "lost": Lost(said),
    }[kind]
    monkeypatch.setattr(JobRun, "_train", lambda *_: outcome)
    job_id = add_job(add_ready_dataset(1))
    run_job(context, job_id)
    with database.read() as session:
        events = session.scalars(select(JobEvent).where(JobEvent.job_id == job_id)).all()
    told = str([show_job(get(Job, job_id), None), *map(show_event, events)])
    assert "Input/output error: '…/storage/blob' in …/lib/library.py" in told
    assert [path for path in directories(context.settings) if path in told] == []
