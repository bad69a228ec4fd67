"""Datasets, jobs and models led through random lives: after every step the API tells what a simple model expects.

The worker's side is the store's own: claims, leases and transitions, in the test's thread.
"""

import os
from dataclasses import dataclass, field
from typing import Any, ClassVar

from fastapi.testclient import TestClient
from hypothesis import HealthCheck
from hypothesis import settings as bounds
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from store.leases import Lease, fenced
from store.tables import Job
from tests.app.inline_worker import InlineWorker
from worker.ingestion.run import run_ingestion
from worker.training import attempts

FINAL = {"succeeded", "failed", "cancelled"}
#: What a request makes of a job in each status; where there is nothing, it is refused.
REQUESTS = {
    "cancel": {
        "queued": "cancelled",
        "paused": "cancelled",
        "running": "cancelling",
        "pausing": "cancelling",
        "cancelling": "cancelling",
        "cancelled": "cancelled",
    },
    "pause": {"queued": "paused", "running": "pausing", "pausing": "pausing", "paused": "paused"},
    "resume": {"paused": "queued", "queued": "queued", "running": "running"},
    "retry": {"failed": "queued", "cancelled": "queued", "queued": "queued"},
}
#: What the end of an attempt makes of a job.
ENDINGS = {
    "publish": {"running": "succeeded", "pausing": "succeeded"},
    "stop": {"running": "queued", "pausing": "paused", "cancelling": "cancelled"},
    "fail": {"running": "failed", "pausing": "failed", "cancelling": "cancelled"},
}
FUZZ_CASES = int(os.environ.get("POUF_FUZZ_CASES", "0"))
BOUNDS = bounds(
    max_examples=max(4, FUZZ_CASES // 50),
    stateful_step_count=30,
    derandomize=not FUZZ_CASES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
GOOD, USELESS = b"a text\nanother text\n", b""


@dataclass
class ExpectedDataset:
    status: str
    good: bool
    deleted: bool = False


@dataclass
class ExpectedJob:
    status: str
    dataset: str
    model: str | None = None
    lease: Lease[Job] | None = field(default=None, repr=False)


class Lives(RuleBasedStateMachine):
    """One owner's datasets, jobs and models."""

    api: ClassVar[TestClient]
    worker: ClassVar[InlineWorker]
    datasets = Bundle("datasets")
    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.dataset: dict[str, ExpectedDataset] = {}
        self.job: dict[str, ExpectedJob] = {}
        self.aliases: dict[str, str] = {}
        self.deleted_models: set[str] = set()

    @rule(target=datasets, good=st.booleans(), finalize=st.booleans())
    def create_dataset(self, good, finalize):
        form = {"finalize": str(finalize).lower(), "modality": "text"}
        files = {"files": ("texts.txt", GOOD if good else USELESS)}
        answer = self._expect(self.api.post("/v1/datasets", data=form, files=files), 202)
        self.dataset[answer["id"]] = ExpectedDataset("ingesting" if finalize else "uploading", good)
        return answer["id"]

    @rule(name=datasets)
    def finalize(self, name):
        expected = self.dataset[name]
        self._expect(self.api.post(f"/v1/datasets/{name}/finalize"), 404 if expected.deleted else 202)
        if expected.status == "uploading" and not expected.deleted:
            expected.status = "ingesting"

    @rule(name=datasets, content=st.sampled_from([GOOD, USELESS]))
    def add_a_file(self, name, content):
        expected = self.dataset[name]
        answer = self.api.post(f"/v1/datasets/{name}/files", files={"files": ("more.txt", content)})
        status = 404 if expected.deleted else 200 if expected.status == "uploading" else 409
        self._expect(answer, status)
        expected.good = expected.good or (status == 200 and content == GOOD)

    @rule(name=datasets)
    def ingest(self, name):
        run_ingestion(self.worker.context, name, lambda: False)
        expected = self.dataset[name]
        if expected.status != "ingesting" or expected.deleted:
            return
        expected.status = "ready" if expected.good else "failed"
        for job in self.job.values():
            if expected.status == "failed" and job.dataset == name and job.status == "queued":
                job.status = "failed"

    @rule(name=datasets)
    def delete_dataset(self, name):
        expected = self.dataset[name]
        needed = any(job.dataset == name and job.status not in FINAL for job in self.job.values())
        self._expect(self.api.delete(f"/v1/datasets/{name}"), 404 if expected.deleted else 409 if needed else 204)
        expected.deleted = expected.deleted or not needed

    @rule(target=jobs, name=datasets)
    def create_job(self, name):
        body = {"dataset_id": name, "base_model": "minilm", "class_names": ["good", "bad"]}
        expected = self.dataset[name]
        usable = expected.status in ("ingesting", "ready")
        answer = self._expect(self.api.post("/v1/jobs", json=body), 422 if expected.deleted else 202 if usable else 409)
        if answer.get("object") != "job":
            return None
        self.job[answer["id"]] = ExpectedJob("queued", name)
        return answer["id"]

    @rule(name=jobs, request=st.sampled_from(sorted(REQUESTS)))
    def ask(self, name, request):
        if name is None:
            return
        expected = self.job[name]
        wanted = REQUESTS[request].get(expected.status)
        dataset = self.dataset[expected.dataset]
        queued_again = wanted == "queued" != expected.status
        if queued_again and (dataset.deleted or dataset.status == "failed"):
            wanted = None
        self._expect(
            self.api.post(f"/v1/jobs/{name}/{request}"), 409 if wanted is None else 202 if request == "retry" else 200
        )
        expected.status = wanted or expected.status

    @rule(name=jobs)
    def claim(self, name):
        if name is None:
            return
        expected = self.job[name]
        lease = self.worker.claim(name)
        assert (lease is not None) == (expected.status == "queued" and self.dataset[expected.dataset].status == "ready")
        if lease is not None:
            expected.status, expected.lease = "running", lease

    @rule(name=jobs, ending=st.sampled_from(sorted(ENDINGS)))
    def end_the_attempt(self, name, ending):
        """Whoever holds an outdated lease may try too, and changes nothing."""
        if name is None or self.job[name].lease is None:
            return
        expected = self.job[name]
        held = expected.status in ENDINGS["stop"]
        wanted = ENDINGS[ending].get(expected.status)
        if ending == "publish":
            model = self.worker.publish(expected.lease)
            assert (model is not None) == (wanted is not None)
            expected.model = model or expected.model
        elif held:
            self._end(expected.lease, ending)
        expected.status = wanted or expected.status

    def _end(self, lease: Lease[Job], ending: str) -> None:
        with self.worker.context.database.write() as session:
            job = fenced(session, lease)
            if ending == "stop":
                attempts.stop(session, job)
            else:
                attempts.fail(session, job, "internal_error", "broken")

    @rule(name=jobs, alias=st.sampled_from(["best", "latest"]))
    def name_the_model(self, name, alias):
        model = self._model_of(name)
        there = model is not None and model not in self.deleted_models
        status = 404 if not there else 200 if alias in self.aliases else 201
        self._expect(self.api.put(f"/v1/aliases/{alias}", json={"model_id": model or "mdl_0"}), status)
        if there:
            self.aliases[alias] = model

    @rule(alias=st.sampled_from(["best", "latest"]))
    def forget_the_name(self, alias):
        self._expect(self.api.delete(f"/v1/aliases/{alias}"), 204 if alias in self.aliases else 404)
        self.aliases.pop(alias, None)

    @rule(name=jobs)
    def delete_model(self, name):
        model = self._model_of(name)
        there = model is not None and model not in self.deleted_models
        status = 404 if not there else 409 if model in self.aliases.values() else 204
        self._expect(self.api.delete(f"/v1/models/{model or 'mdl_0'}"), status)
        if status == 204:
            self.deleted_models.add(model)

    @invariant()
    def everything_is_as_expected(self):
        found = {row["id"]: row["status"] for row in self._list("/v1/datasets")}
        there = {name: dataset.status for name, dataset in self.dataset.items() if not dataset.deleted}
        assert {name: found.get(name) for name in self.dataset if name in found or name in there} == there
        jobs = {row["id"]: (row["status"], row["model_id"]) for row in self._list("/v1/jobs")}
        assert {name: jobs[name] for name in self.job} == {n: (j.status, j.model) for n, j in self.job.items()}
        assert {row["name"]: row["model_id"] for row in self._list("/v1/aliases")} == self.aliases

    def teardown(self):
        for name in self.job:
            events = self._expect(self.api.get(f"/v1/jobs/{name}/events?limit=1000"), 200)["data"]
            assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        for alias in self.aliases:
            self._expect(self.api.delete(f"/v1/aliases/{alias}"), 204)

    def _list(self, path: str) -> list[dict[str, Any]]:
        """The newest hundred, more than one run makes."""
        return self._expect(self.api.get(f"{path}?limit=100"), 200)["data"]

    def _model_of(self, name: str | None) -> str | None:
        return None if name is None else self.job[name].model

    def _expect(self, answer: Any, status: int) -> dict[str, Any]:
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else {}


def test_every_life_goes_as_the_model_expects(api, settings, tmp_path):
    Lives.api, Lives.worker = api, InlineWorker(settings, tmp_path / "artifact")
    run_state_machine_as_test(Lives, settings=BOUNDS)
