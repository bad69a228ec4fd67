"""Every route: which scope it needs, and that it knows nothing of another owner's rows."""

import base64
import re
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from app.http.page_paths import is_page
from app.main import create_app
from store.settings import Settings
from tests.app.auth.route_cases import CASES, CLASSES, UNKNOWN, Case
from tests.app.colour_engine import ColourEngine
from tests.app.predicted.conftest import predict, predicted

__all__ = ["predict", "predicted"]
GUARDED = [case for case in CASES if case.scope]
OWNED = [case for case in GUARDED if case.foreign != "shared"]


def named(case: Case) -> str:
    return f"{case.method} {case.target}"


def routes_of(application: FastAPI) -> set[str]:
    """What programs may ask for; pages are in `tests/app/pages/test_owners_of_pages.py`."""
    served = set()
    for route in iter_route_contexts(application.routes):
        if is_page(route.path):
            continue
        served |= {f"{method} {route.path}" for method in route.methods - {"HEAD"}}
    return served


@pytest.fixture
def alices(rows, make_key, picture, predicted, predict) -> dict[str, str]:
    """What a case may name."""
    made = predicted(4, owner="alice")
    predictions = made.job_id
    rows.model_of(predictions, owner="alice")
    dataset = rows.dataset(owner="alice")
    alice = {"owner": "alice", "dataset_id": dataset}
    webhook = rows.webhook(owner="alice")
    return {
        "webhook": webhook,
        "spare_webhook": rows.webhook(owner="alice"),
        "delivery": rows.delivery(webhook, owner="alice"),
        "dataset": dataset,
        "picture": rows.picture(dataset, picture()),
        "uploading": rows.dataset("uploading", owner="alice"),
        "unused": rows.dataset(owner="alice"),
        "job": rows.job(**alice),
        "paused": rows.job("paused", **alice),
        "failed": rows.job("failed", **alice),
        "predicted": predictions,
        "predicted_too": predict(made.dataset_id, made.names, owner="alice", seed=1).job_id,
        "batch": rows.batch("succeeded", made.dataset_id, owner="alice", predictions_key=made.key),
        "queued_batch": rows.batch("queued", made.dataset_id, owner="alice"),
        "audit": rows.audit(predictions, answered=True),
        "spare_audit": rows.audit(predictions),
        "model": rows.model(owner="alice"),
        "spare": rows.model(owner="alice"),
        "alias": "best",
        "base64": base64.b64encode(picture()).decode(),
    }


@pytest.fixture
def ask(api: TestClient, picture):
    """Sends a case's request with ids filled in."""

    def fill(value: Any, ids: dict[str, str]) -> Any:
        if isinstance(value, str):
            return re.sub(r"\{(\w+)\}", lambda match: ids.get(match[1], match[0]), value)
        if isinstance(value, dict):
            return {name: fill(part, ids) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(fill(part, ids) for part in value)
        return picture() if value == b"{picture}" else value

    def send(case: Case, key: str | None, ids: dict[str, str]) -> Any:
        request = fill(case.request, ids)
        headers = {**request.pop("headers", {}), **({"Authorization": f"Bearer {key}"} if key else {})}
        return api.request(case.method, fill(case.target, ids), headers=headers, **request)

    return send


@pytest.fixture
def prepared(ask, make_key, alices) -> str:
    """The key of the owner of everything that cases name, with an alias and something uploaded."""
    key = make_key("alice")
    by_route = {case.route: case for case in CASES}
    assert ask(by_route["PUT /v1/aliases/{name}"], key, alices).status_code == 201
    assert ask(by_route["POST /v1/datasets/{dataset_id}/files"], key, alices).status_code == 200
    return key


def test_every_route_has_a_case(application):
    assert routes_of(application) == {case.route for case in CASES}


def test_a_route_that_is_added_without_a_case_is_noticed(settings: Settings):
    application = create_app(settings, ColourEngine)
    application.add_api_route("/v1/secrets", lambda: "all of them")
    assert routes_of(application) - {case.route for case in CASES} == {"GET /v1/secrets"}


def test_a_route_without_an_authentication_dependency_still_needs_a_key(settings: Settings, make_key, refused):
    make_key()
    application = create_app(settings, ColourEngine)
    application.add_api_route("/v1/secrets", lambda: "all of them")
    with TestClient(application) as api:
        refused(api.get("/v1/secrets"), 401, "missing_api_key")


def test_without_a_key_it_is_refused(ask, alices, make_key, refused):
    make_key()
    responses = [(named(case), ask(case, None, alices)) for case in GUARDED]
    assert [name for name, response in responses if response.status_code != 401] == []
    for _, response in responses:
        refused(response, 401, "missing_api_key")
        assert response.headers["www-authenticate"] == "Bearer"


def test_health_checks_and_the_documentation_need_no_key(ask, make_key):
    make_key()
    answered = {case.target: ask(case, None, {}).status_code for case in CASES if not case.scope}
    assert answered.pop("/health/ready") in (200, 503)
    assert answered == dict.fromkeys(answered, 200)


def test_a_key_without_the_scope_is_refused(ask, alices, make_key, refused):
    cases = [case for case in GUARDED if case.scope != "any"]
    keys = {scope: make_key("alice", *({"read", "write", "predict"} - {scope})) for scope in {c.scope for c in cases}}
    responses = [(case, ask(case, keys[case.scope], alices)) for case in cases]
    assert [named(case) for case, response in responses if response.status_code != 403] == []
    for case, response in responses:
        assert f"`{case.scope}`" in refused(response, 403, "insufficient_scope")["detail"]


@pytest.mark.parametrize("case", OWNED, ids=named)
def test_rows_of_another_owner_are_answered_like_rows_that_do_not_exist(ask, alices, prepared, make_key, case):
    bob = make_key("bob", case.scope)
    response = ask(case, bob, alices)
    if case.foreign == "empty":
        assert (response.status_code, response.json()["data"]) == (200, [])
    else:
        assert response.status_code == case.foreign, response.text
        assert told(response, alices) == told(ask(case, bob, alices | UNKNOWN), UNKNOWN)
    # the same request is fine for the owner, and bob has changed nothing that it needs
    own = ask(case, make_key("alice", case.scope), alices)
    assert own.is_success, own.text
    if case.foreign == "empty":
        assert own.json()["data"]


def told(response: Any, ids: dict[str, str]) -> str:
    """What the answer says, whatever it calls what it speaks of."""
    text = re.sub(r'"request_id":"[^"]*"', "", response.text)
    for name in sorted(ids.values(), key=len, reverse=True):
        text = text.replace(name, "…")
    return text


def test_an_idempotency_key_is_its_owners(api, rows, make_key):
    def create(owner: str) -> Any:
        headers = {"Authorization": f"Bearer {make_key(owner)}", "Idempotency-Key": "same"}
        body = {"dataset_id": rows.dataset(owner=owner), **CLASSES}
        return api.post("/v1/jobs", json=body, headers=headers)

    first, second = create("alice"), create("bob")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] != second.json()["id"]


def test_a_model_in_memory_is_not_served_to_another_owner(api, rows, make_key, picture, application, refused):
    model_id = rows.model(owner="alice")
    answers = {}
    for owner in ("alice", "bob"):
        headers = {"Authorization": f"Bearer {make_key(owner)}"}
        files = {"image": ("a.png", picture())}
        answers[owner] = api.post(f"/v1/models/{model_id}/predict", files=files, headers=headers)
    assert answers["alice"].status_code == 200
    assert application.state.pouf.engine.cache.usage()["models"] == 1
    refused(answers["bob"], 404, "model_not_found")


def test_two_owners_may_give_the_same_name_to_models_of_theirs(api, rows, make_key):
    for owner in ("alice", "bob"):
        headers = {"Authorization": f"Bearer {make_key(owner)}"}
        model_id = rows.model(owner=owner)
        assert api.put("/v1/aliases/best", json={"model_id": model_id}, headers=headers).status_code == 201
        assert api.get("/v1/models/best", headers=headers).json()["id"] == model_id


def test_keys_of_one_owner_open_the_same_data(api, rows, make_key):
    job_id = rows.job(owner="alice", dataset_id=rows.dataset(owner="alice"))
    for key in (make_key("alice"), make_key("alice")):
        assert api.get(f"/v1/jobs/{job_id}", headers={"Authorization": f"Bearer {key}"}).status_code == 200
