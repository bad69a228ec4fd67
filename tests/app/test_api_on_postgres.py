"""One way through the API on PostgreSQL; the other tests use SQLite."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.http.query_parameters import encode_cursor
from app.keys import service as keys
from app.main import create_app
from app.webhooks.service import MAX_WEBHOOKS
from store.database import Database
from tests.app.colour_engine import ColourEngine


@pytest.fixture
def application(settings, migrated_postgres_url) -> FastAPI:
    return create_app(settings.model_copy(update={"database_url": migrated_postgres_url, "owner": "pg"}), ColourEngine)


@pytest.fixture
def database(application, migrated_postgres_url):
    with TestClient(application):
        database = Database(migrated_postgres_url)
        yield database
        database.dispose()


def test_datasets_jobs_models_and_aliases(api, rows, picture, refused):
    files = {"files": ("a.png", picture())}
    dataset_id = api.post("/v1/datasets", files=files, headers={"Idempotency-Key": "pg"}).json()["id"]
    assert api.post("/v1/datasets", files=files, headers={"Idempotency-Key": "pg"}).json()["id"] == dataset_id
    body = {"dataset_id": dataset_id, "class_names": ["a", "b"], "metadata": {"k": "v"}}
    job = api.post("/v1/jobs", json=body).json()
    assert (job["status"], job["stage"], job["queue_position"]) == ("queued", "waiting_for_dataset", 1)
    refused(api.delete(f"/v1/datasets/{dataset_id}"), 409, "dataset_in_use")
    for request in ("pause", "resume", "cancel", "retry", "cancel"):
        assert api.post(f"/v1/jobs/{job['id']}/{request}").status_code in (200, 202)
    events = api.get(f"/v1/jobs/{job['id']}/events").json()["data"]
    assert [event["type"].removeprefix("job.") for event in events] == [
        "queued",
        "paused",
        "queued",
        "cancelled",
        "queued",
        "cancelled",
    ]
    assert [row["id"] for row in api.get("/v1/jobs?status=cancelled").json()["data"]] == [job["id"]]
    assert api.delete(f"/v1/datasets/{dataset_id}").status_code == 204

    model_id = rows.model(owner="pg")
    assert api.put("/v1/aliases/best", json={"model_id": model_id}).status_code == 201
    assert api.post("/predict", data={"model": "best"}, files={"image": ("a.png", picture())}).status_code == 200
    refused(api.delete(f"/v1/models/{model_id}"), 409, "model_has_aliases")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("jobs/%00", 404),
        ("datasets/a%00b", 404),
        ("models/%00", 404),
        ("jobs?name=%00", 422),
        (f"jobs?cursor={encode_cursor(chr(0))}", 422),
        (f"jobs/{{job}}/events?cursor={encode_cursor(2**31)}", 422),
        (f"jobs/{{job}}/metrics?cursor={encode_cursor(2**31)}", 422),
        (f"jobs/{{job}}/metrics?cursor={encode_cursor(2**31 - 1)}", 200),
    ],
)
def test_what_postgres_cannot_store_is_refused(api, rows, path, status):
    assert api.get(f"/v1/{path.format(job=rows.job(owner='pg'))}").status_code == status


def test_keys_open_their_owners_rows_and_hold_their_limits_under_concurrency(
    application, api, rows, settings, database, refused
):
    def key(owner: str, **limits: int) -> dict[str, str]:
        wanted = keys.NewKey(owner, "test", ["admin"], limits=limits)
        return {"Authorization": f"Bearer {keys.create(settings, database, wanted)[1]}"}

    alice, bob = [key("alice", queued_jobs=3) for _ in range(2)], key("bob")
    refused(api.get("/v1/jobs"), 401, "missing_api_key")
    dataset_id = rows.dataset(owner="alice")
    refused(api.get(f"/v1/datasets/{dataset_id}", headers=bob), 404, "dataset_not_found")
    body = {"dataset_id": dataset_id, "class_names": ["a", "b"]}

    def create(number: int) -> int:
        return api.post("/v1/jobs", json=body, headers=alice[number % 2]).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(create, range(8))) == [202] * 3 + [429] * 5


def test_what_is_asked_for_at_once_counts_once(api, rows):
    model_id = rows.model(owner="pg")
    with ThreadPoolExecutor(8) as pool:
        puts = pool.map(lambda _: api.put("/v1/aliases/new", json={"model_id": model_id}).status_code, range(8))
        assert sorted(puts) == [200] * 7 + [201]
    body = {"url": "https://example.com/hook"}
    with ThreadPoolExecutor(8) as pool:
        posts = pool.map(lambda _: api.post("/v1/webhooks", json=body).status_code, range(MAX_WEBHOOKS + 8))
        assert sorted(posts) == [201] * MAX_WEBHOOKS + [409] * 8
