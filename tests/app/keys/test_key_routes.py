"""Keys over HTTP: a key gives at most what it has."""

import logging
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from app.keys import routes
from app.maintenance import routes as maintenance
from store.tables import IdempotencyKey
from tests.waiting import WAIT_SECONDS

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)


@pytest.fixture
def ask(api):
    def send(method, path, key, body=None, **headers):
        return api.request(method, path, json=body, headers={"Authorization": f"Bearer {key}", **headers})

    return send


def test_a_key_is_made_for_an_owner_shown_once_listed_and_revoked(ask, make_key, caplog):
    admin = make_key("operator")
    body = {"name": "ci", "owner": "birds", "scopes": ["predict"], "limits": {"requests_per_minute": 5}}
    with caplog.at_level(logging.INFO, "app.keys"):
        made = ask("POST", "/v1/keys", admin, body)
    assert made.status_code == 201, made.text
    document = made.json()
    secret = document.pop("secret")
    assert (document["owner"], document["scopes"], document["limits"]["requests_per_minute"]) == (
        "birds",
        ["predict"],
        5,
    )
    assert ask("GET", "/v1/me", secret).json()["owner"] == "birds"
    assert ask("GET", "/v1/keys?limit=1", admin).json()["data"][0]["id"] == document["id"]
    ended = ask("POST", f"/v1/keys/{document['id']}/revoke", admin)
    assert ended.json()["revoked_at"] is not None
    assert ask("GET", "/v1/me", secret).status_code == 401
    assert document["id"] in caplog.text
    assert admin[:13] in caplog.text
    assert secret not in caplog.text


def test_a_repeated_request_makes_no_second_key_and_its_text_is_kept_nowhere(ask, make_key, database):
    admin = make_key("operator")
    first, again = (ask("POST", "/v1/keys", admin, {"name": "ci"}, **{"Idempotency-Key": "a"}) for _ in range(2))
    assert again.json() == first.json() | {"secret": None}
    assert len(ask("GET", "/v1/keys", admin).json()["data"]) == 2
    with database.read() as session:
        kept = session.scalars(select(IdempotencyKey.body)).all()
    assert first.json()["id"] in str(kept)
    assert first.json()["secret"] not in str(kept)


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"expires_at": (TOMORROW + timedelta(days=1)).isoformat()}, "/expires_at", "exceeds_own_key"),
        ({"limits": {"items": 8}}, "/limits/items", "exceeds_own_key"),
        ({"limits": {"queued_jobs": 3}}, "/limits/queued_jobs", "exceeds_own_key"),
        ({"name": "bootstrap"}, "/name", "reserved_name"),
        ({"name": " "}, "/name", "invalid_value"),
        ({"name": "ci\nmore"}, "/name", "invalid_value"),
        ({"name": "ci\u0007"}, "/name", "invalid_value"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at", "time_in_the_past"),
    ],
)
def test_a_key_gives_no_more_than_it_has(ask, make_key, settings, body, pointer, code):
    settings.key_queued_jobs = 2
    admin = make_key("operator", expires_at=TOMORROW, items=7)
    problem = ask("POST", "/v1/keys", admin, {"name": "ci", **body})
    assert (pointer, code) in [(each["pointer"], each["code"]) for each in problem.json()["errors"]]
    assert problem.status_code == 422


def test_what_is_not_stated_is_what_the_key_that_makes_it_has(ask, make_key):
    admin = make_key("operator", expires_at=TOMORROW, items=7)
    made = ask("POST", "/v1/keys", admin, {"name": "ci", "scopes": ["admin"]}).json()
    assert datetime.fromisoformat(made["expires_at"]) == TOMORROW
    assert (made["limits"]["items"], made["owner"]) == (7, "operator")
    assert made["limits"]["stored_bytes"] is None, "that of the settings, whatever they will be"


def test_a_repeated_request_is_answered_when_the_key_has_expired_meanwhile(ask, make_key, monkeypatch):
    admin = make_key("operator")
    body = {"name": "ci", "expires_at": TOMORROW.isoformat()}
    first = ask("POST", "/v1/keys", admin, body, **{"Idempotency-Key": "a"})
    monkeypatch.setattr(routes, "datetime", SimpleNamespace(now=lambda tz: TOMORROW + timedelta(days=1)))
    again = ask("POST", "/v1/keys", admin, body, **{"Idempotency-Key": "a"})
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])


def test_the_first_key_can_make_others(api, refused):
    refused(api.post("/v1/keys", json={"name": "ci"}), 422, "first_key_not_admin")
    assert api.post("/v1/keys", json={"name": "ci", "scopes": ["admin"]}).status_code == 201
    refused(api.post("/v1/keys", json={"name": "ci", "scopes": ["admin"]}), 401, "missing_api_key")


def test_what_is_too_old_is_counted_and_removed(ask, make_key, rows):
    admin = make_key("operator")
    dataset = rows.dataset("uploading", updated_at=datetime.now(UTC) - timedelta(days=1000))
    counted = ask("POST", "/v1/prune", admin, {"dry_run": True}).json()
    assert (counted["dry_run"], counted["counts"]["unfinished_datasets"]) == (True, 1)
    assert ask("POST", "/v1/prune", admin, {}).json()["counts"]["unfinished_datasets"] == 1
    assert ask("POST", "/v1/prune", admin, {}).json()["counts"]["unfinished_datasets"] == 0
    assert dataset


def test_one_prune_runs_at_a_time(ask, make_key, refused, monkeypatch):
    admin = make_key("operator")
    begun, done = threading.Event(), threading.Event()

    def wait(*_, **__):
        begun.set()
        assert done.wait(WAIT_SECONDS)
        return {}

    monkeypatch.setattr(maintenance, "prune", wait)
    answers = []
    first = threading.Thread(target=lambda: answers.append(ask("POST", "/v1/prune", admin, {})))
    first.start()
    assert begun.wait(WAIT_SECONDS)
    second = ask("POST", "/v1/prune", admin, {"dry_run": True})
    refused(second, 409, "prune_in_progress")
    assert second.headers["x-should-retry"] == "false"
    done.set()
    first.join()
    assert answers[0].status_code == 200
    assert ask("POST", "/v1/prune", admin, {}).status_code == 200
