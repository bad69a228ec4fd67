"""What a key may do at most: 429, with the seconds to wait."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from app.auth import rate_limit
from app.auth.rate_limit import RateLimiter
from app.main import create_app
from store import usage
from store.scope import Scope
from store.tables import Dataset, Job
from tests.app.colour_engine import ColourEngine

CLASSES = {"class_names": ["a", "b"]}


@pytest.fixture
def full(refused):
    """Asserts that a limit is reached, and what is said about asking again."""

    def check(response, code: str, *, retry: bool = True) -> None:
        refused(response, 429, code)
        assert 1 <= int(response.headers["retry-after"]) <= 60
        assert response.headers["x-should-retry"] == ("true" if retry else "false")

    return check


@pytest.fixture
def with_key(api, make_key):
    """Gives the client a key with these limits."""

    def use(**limits: int) -> TestClient:
        api.headers["Authorization"] = f"Bearer {make_key('alice', **limits)}"
        return api

    return use


def upload(api, content: bytes = b"x" * 100, name: str = "a.png", **headers: str):
    return api.post("/v1/datasets", files={"files": (name, content)}, headers=headers)


class TestRequests:
    def test_a_key_at_its_limit_has_to_wait_and_other_keys_do_not(self, with_key, full):
        api = with_key(requests_per_minute=3)
        assert [api.get("/v1/jobs").status_code for _ in range(3)] == [200] * 3
        full(api.get("/v1/jobs"), "rate_limited")
        # refused requests count for nothing, and a key of the same owner counts for itself
        assert with_key(requests_per_minute=3).get("/v1/jobs").status_code == 200

    def test_api_processes_count_together_through_the_broker(self, settings, valkey_url, make_key, full):
        shared = settings.model_copy(update={"redis_url": valkey_url})
        headers = {"Authorization": f"Bearer {make_key('alice', requests_per_minute=4)}"}
        with TestClient(create_app(shared, ColourEngine)) as one, TestClient(create_app(shared, ColourEngine)) as two:
            for api in (one, two, one, two):
                assert api.get("/v1/jobs", headers=headers).status_code == 200
            full(one.get("/v1/jobs", headers=headers), "rate_limited")
            full(two.get("/v1/jobs", headers=headers), "rate_limited")

    def test_the_wait_is_until_the_oldest_request_is_a_minute_old(self, valkey_url):
        limiter = RateLimiter(valkey_url)
        assert limiter.hit("waiting", 1) is None
        time.sleep(2)
        assert limiter.hit("waiting", 1) in range(1, 60)

    def test_while_the_broker_does_not_answer_the_process_holds_the_limit_itself(self, monkeypatch):
        monkeypatch.setattr(rate_limit, "SOCKET_SECONDS", 0.2)
        limiter = RateLimiter("redis://127.0.0.1:9/0")
        started = time.monotonic()
        assert [limiter.hit("alone", 2) for _ in range(2)] == [None, None]
        assert limiter.hit("alone", 2) in range(1, 61)
        assert time.monotonic() - started < 30

    def test_paths_that_need_no_key_are_not_counted(self, with_key):
        api = with_key(requests_per_minute=1)
        for _ in range(3):
            assert api.get("/health/live").status_code == 200
        assert api.get("/v1/jobs").status_code == 200


class TestStorage:
    def test_uploads_stop_at_the_limit_and_go_on_after_deleting(self, with_key, full, storage, settings):
        api = with_key(stored_bytes=250)
        first = upload(api).json()["id"]
        assert upload(api, b"y" * 100).status_code == 202
        full(upload(api, b"z" * 100), "stored_bytes_limit", retry=False)
        assert len(list((settings.data_dir / "storage" / "datasets").iterdir())) == 2
        with_job = api.app.state.pouf.database
        with with_job.write() as session:
            session.get_one(Dataset, first).status = "ready"
        assert api.delete(f"/v1/datasets/{first}").status_code == 204
        assert upload(api, b"z" * 100).status_code == 202

    def test_files_and_archives_that_are_added_count(self, with_key, full):
        api = with_key(stored_bytes=100)
        dataset_id = api.post("/v1/datasets", data={"finalize": "false"}).json()["id"]
        files = f"/v1/datasets/{dataset_id}/files"
        assert api.post(files, files={"files": ("a", b"x" * 60)}).status_code == 200
        full(api.post(files, files={"files": ("b", b"y" * 60)}), "stored_bytes_limit", retry=False)
        archive = b"PK\x03\x04" + b"z" * 60
        full(api.put(f"/v1/datasets/{dataset_id}/archive", content=archive), "stored_bytes_limit", retry=False)
        assert api.get(f"/v1/datasets/{dataset_id}").json()["upload_count"] == 1

    def test_models_and_extracted_items_count_but_not_those_of_others(self, with_key, full, rows):
        api = with_key(stored_bytes=100)
        rows.model(owner="bob")
        rows.dataset(owner="bob", extracted_bytes=1000)
        rows.model(owner="alice")  # one byte by its row
        rows.dataset(owner="alice", extracted_bytes=90)
        assert upload(api, b"x" * 9).status_code == 202
        full(upload(api, b"x"), "stored_bytes_limit", retry=False)

    def test_a_repeated_upload_gets_its_answer_although_there_is_no_more_room(self, with_key, full):
        api = with_key(stored_bytes=100)
        first = upload(api, **{"Idempotency-Key": "k"})
        again = upload(api, **{"Idempotency-Key": "k"})
        assert (again.status_code, again.json()) == (202, first.json())
        full(upload(api, b"y", **{"Idempotency-Key": "other"}), "stored_bytes_limit", retry=False)

    def test_no_job_is_created_when_the_owners_storage_is_full(self, with_key, full, rows):
        api = with_key(stored_bytes=10)
        dataset_id = rows.dataset(owner="alice", extracted_bytes=10)
        response = api.post("/v1/jobs", json={"dataset_id": dataset_id, **CLASSES})
        full(response, "stored_bytes_limit", retry=False)

    def test_no_more_items_than_the_limit(self, with_key, full, rows):
        api = with_key(items=10)
        rows.dataset(owner="bob", item_count=99)
        rows.dataset(owner="alice", item_count=9)
        assert upload(api).status_code == 202
        rows.dataset(owner="alice", item_count=1)
        full(upload(api), "items_limit", retry=False)

    def test_a_dataset_carries_the_limits_that_ingestion_has_to_check(self, with_key, database):
        api = with_key(items=10, stored_bytes=1000)
        dataset_id = upload(api).json()["id"]
        with database.read() as session:
            assert session.get_one(Dataset, dataset_id).owner_limits == {"items": 10, "stored_bytes": 1000}


class TestJobs:
    @pytest.fixture
    def dataset_id(self, rows):
        return rows.dataset(owner="alice")

    def test_queued_jobs_are_limited(self, with_key, full, rows, dataset_id):
        api = with_key(queued_jobs=2)
        body = {"dataset_id": dataset_id, **CLASSES}
        first, second = (api.post("/v1/jobs", json=body) for _ in range(2))
        full(api.post("/v1/jobs", json=body), "queued_jobs_limit")
        rows.move(first.json()["id"], "running")
        assert api.post("/v1/jobs", json=body).status_code == 202
        assert second.status_code == 202

    def test_what_jobs_take_in_the_database_is_limited(self, api, settings, with_key, full, rows, dataset_id):
        names = [f"{number} {'x' * 400}" for number in range(1000)]
        body = {"dataset_id": dataset_id, "class_names": names}
        settings.key_database_bytes = 1_000_000
        api = with_key()
        first, second = (api.post("/v1/jobs", json=body) for _ in range(2))
        assert (first.status_code, second.status_code) == (202, 202)
        full(api.post("/v1/jobs", json=body), "database_bytes_limit", retry=False)
        assert api.post("/v1/jobs", json={"dataset_id": dataset_id, **CLASSES}).status_code == 202
        job_id = first.json()["id"]
        api.post(f"/v1/jobs/{job_id}/cancel")
        assert api.delete(f"/v1/jobs/{job_id}").status_code == 204
        assert api.post("/v1/jobs", json=body).status_code == 202

    def test_batch_predictions_take_room_in_the_database_too(self, settings, with_key, full, rows, dataset_id):
        model_id = rows.model(owner="alice", job_id=rows.job("running", "succeeded", owner="alice"))
        with rows.database.read() as session:
            settings.key_database_bytes = usage.database_bytes(Scope(session, "alice")) + 2 * usage.BYTES_BESIDE
        api = with_key()
        body = {"model": model_id, "dataset_id": dataset_id}
        answers = [api.post("/v1/batch-predictions", json=body) for _ in range(3)]
        assert [answer.status_code for answer in answers[:2]] == [202, 202]
        full(answers[2], "database_bytes_limit", retry=False)
        batch_id = answers[0].json()["id"]
        api.post(f"/v1/batch-predictions/{batch_id}/cancel")
        assert api.delete(f"/v1/batch-predictions/{batch_id}").status_code == 204
        assert api.post("/v1/batch-predictions", json=body).status_code == 202

    def test_answers_to_audits_take_room_in_the_database_too(self, settings, with_key, full, rows, dataset_id):
        job_id = rows.job("running", "succeeded", owner="alice", dataset_id=dataset_id)
        audit_id = rows.audit(job_id, size=2)
        with rows.database.read() as session:
            room = usage.database_bytes(Scope(session, "alice")) + 2 * usage.BYTES_OF_AUDIT_ANSWER
        settings.key_database_bytes = room
        api = with_key()
        url = f"/v1/jobs/{job_id}/audits/{audit_id}/answers"

        def give(person):
            answers = [{"item": f"{place}.png", "answer": "cant_tell"} for place in range(2)]
            return api.put(url, json={"answers": answers, "person": person})

        assert give("ann").status_code == 200
        full(give("bob"), "database_bytes_limit", retry=False)

    def test_aliases_take_room_in_the_database_too(self, settings, with_key, full, rows):
        first, second = rows.model(owner="alice"), rows.model(owner="alice")
        with rows.database.read() as session:
            settings.key_database_bytes = usage.database_bytes(Scope(session, "alice")) + usage.BYTES_OF_ALIAS
        api = with_key()
        assert api.put("/v1/aliases/best", json={"model_id": first}).status_code == 201
        full(api.put("/v1/aliases/next", json={"model_id": first}), "database_bytes_limit", retry=False)
        assert api.put("/v1/aliases/best", json={"model_id": second}).status_code == 200

    def test_kept_answers_messages_and_deleted_datasets_take_room_in_the_database_too(
        self, settings, with_key, full, rows, dataset_id
    ):
        def taken() -> int:
            with rows.database.read() as session:
                return usage.database_bytes(Scope(session, "alice"))

        api = with_key()
        rows.webhook(owner="alice", event_types=["job.queued"])
        text = {str(number): "x" * 500 for number in range(16)}
        body = {"dataset_id": dataset_id, **CLASSES, "metadata": text}
        before = taken()
        answer = api.post("/v1/jobs", json=body, headers={"Idempotency-Key": "k"})
        api.post(f"/v1/jobs/{answer.json()['id']}/cancel")
        api.delete(f"/v1/jobs/{answer.json()['id']}")
        assert taken() - before > 2 * 16 * 500  # the answer and the message
        before = taken()
        made = upload(api)
        api.delete(made.json()["urls"]["self"])
        assert taken() - before == usage.BYTES_BESIDE
        before = taken()
        upload(api)
        assert taken() - before == usage.BYTES_BESIDE + usage.BYTES_OF_UPLOAD
        settings.key_database_bytes = taken()
        full(upload(api), "database_bytes_limit", retry=False)
        full(api.post("/v1/webhooks", json={"url": "https://example.com"}), "database_bytes_limit", retry=False)

    def test_unfinished_jobs_are_limited(self, with_key, full, rows, dataset_id):
        api = with_key(concurrent_jobs=2)
        body = {"dataset_id": dataset_id, **CLASSES}
        rows.job("running", owner="alice", dataset_id=dataset_id)
        paused = rows.job("paused", owner="alice", dataset_id=dataset_id)
        rows.job("running", "succeeded", owner="alice", dataset_id=dataset_id)
        rows.job("running", owner="bob")
        full(api.post("/v1/jobs", json=body), "concurrent_jobs_limit")
        api.post(f"/v1/jobs/{paused}/cancel")
        assert api.post("/v1/jobs", json=body).status_code == 202

    def test_resuming_and_retrying_count_as_queueing(self, with_key, full, rows, dataset_id, database):
        api = with_key(queued_jobs=1, concurrent_jobs=2)
        paused = rows.job("paused", owner="alice", dataset_id=dataset_id)
        failed = rows.job("failed", owner="alice", dataset_id=dataset_id)
        queued = rows.job(owner="alice", dataset_id=dataset_id)
        full(api.post(f"/v1/jobs/{paused}/resume"), "queued_jobs_limit")
        full(api.post(f"/v1/jobs/{failed}/retry"), "queued_jobs_limit")
        rows.move(queued, "running")
        full(api.post(f"/v1/jobs/{failed}/retry"), "concurrent_jobs_limit")
        assert api.post(f"/v1/jobs/{paused}/resume").status_code == 200
        with database.read() as session:
            assert session.get_one(Job, failed).status == "failed"

    def test_requests_at_the_same_time_do_not_pass_the_limit_together(self, with_key, dataset_id):
        api = with_key(queued_jobs=3)
        body = {"dataset_id": dataset_id, **CLASSES}
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda _: api.post("/v1/jobs", json=body).status_code, range(8)))
        assert sorted(statuses) == [202] * 3 + [429] * 5


def test_keys_without_limits_of_their_own_take_those_of_the_settings(settings, make_key, full):
    strict = settings.model_copy(update={"key_requests_per_minute": 1})
    headers = {"Authorization": f"Bearer {make_key()}"}
    with TestClient(create_app(strict, ColourEngine), headers=headers) as api:
        assert api.get("/v1/jobs").status_code == 200
        full(api.get("/v1/jobs"), "rate_limited")


def test_without_keys_there_are_no_limits(settings):
    tight = {f"key_{name}": 1 for name in ("requests_per_minute", "stored_bytes", "items", "queued_jobs")}
    with TestClient(create_app(settings.model_copy(update=tight), ColourEngine)) as api:
        for _ in range(3):
            assert upload(api).status_code == 202
