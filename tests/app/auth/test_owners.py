"""Every route: which scope it needs, and that it knows nothing of another owner's rows."""

import base64
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from app.http.page_paths import is_page
from app.main import create_app
from store.settings import Settings
from tests.app.colour_engine import ColourEngine
from tests.app.predicted.conftest import predict, predicted

__all__ = ["predict", "predicted"]

CLASSES = {"class_names": ["a", "b"]}
UNKNOWN = {
    "dataset": "ds_0",
    "unused": "ds_0",
    "uploading": "ds_0",
    "job": "job_0",
    "paused": "job_0",
    "failed": "job_0",
}
UNKNOWN |= {"webhook": "whk_0", "spare_webhook": "whk_0", "delivery": "msg_0"}
UNKNOWN |= {"audit": "aud_0", "spare_audit": "aud_0", "predicted": "job_0", "predicted_too": "job_1"}
UNKNOWN |= {"batch": "bat_0", "queued_batch": "bat_0"}
UNKNOWN |= {"model": "mdl_0", "spare": "mdl_0", "alias": "nobodys", "picture": "0" * 64}
SSE = {"headers": {"accept": "text/event-stream"}}


@dataclass(frozen=True)
class Case:
    """A request that succeeds for the owner of what it names; `{dataset}` and so on stand for ids of theirs."""

    route: str
    scope: str | None
    path: str = ""
    request: dict[str, Any] = field(default_factory=dict)
    #: What it answers about another owner's rows: a status, or `empty` for lists, or `shared` where there are none.
    foreign: int | str = 404

    @property
    def method(self) -> str:
        return self.route.split()[0]

    @property
    def target(self) -> str:
        return self.path or self.route.split()[1]


def dataset_cases() -> list[Case]:
    picture = {"files": {"files": ("a.png", b"a")}}
    archive = {"content": b"PK\x05\x06" + bytes(18)}
    one = "/v1/datasets/{dataset_id}"
    return [
        Case("GET /v1/datasets", "read", foreign="empty"),
        Case("POST /v1/datasets", "write", request=picture, foreign="shared"),
        Case(f"GET {one}", "read", "/v1/datasets/{dataset}"),
        Case(f"DELETE {one}", "write", "/v1/datasets/{uploading}"),
        Case(f"PUT {one}/archive", "write", "/v1/datasets/{uploading}/archive", archive),
        Case(f"POST {one}/files", "write", "/v1/datasets/{uploading}/files", picture),
        Case(f"GET {one}/files", "read", "/v1/datasets/{dataset}/files"),
        Case(f"POST {one}/finalize", "write", "/v1/datasets/{uploading}/finalize"),
        Case(f"POST {one}/read-again", "write", "/v1/datasets/{unused}/read-again", {"json": {}}),
        Case(f"GET {one}/items", "read", "/v1/datasets/{dataset}/items"),
        Case(f"GET {one}/items/{{sha256}}/thumbnail", "read", "/v1/datasets/{dataset}/items/{picture}/thumbnail"),
    ]


def job_cases() -> list[Case]:
    one = "/v1/jobs/{job_id}"
    body = {"json": {"dataset_id": "{dataset}", **CLASSES}}
    return [
        Case("GET /v1/jobs", "read", foreign="empty"),
        Case("POST /v1/jobs", "write", request=body, foreign=422),
        Case(f"GET {one}", "read", "/v1/jobs/{job}"),
        Case(f"DELETE {one}", "write", "/v1/jobs/{failed}"),
        Case(f"POST {one}/cancel", "write", "/v1/jobs/{job}/cancel"),
        Case(f"POST {one}/pause", "write", "/v1/jobs/{job}/pause"),
        Case(f"POST {one}/resume", "write", "/v1/jobs/{paused}/resume"),
        Case(f"POST {one}/retry", "write", "/v1/jobs/{failed}/retry"),
        Case(f"GET {one}/events", "read", "/v1/jobs/{job}/events"),
        Case(f"GET {one}/events", "read", "/v1/jobs/{failed}/events", SSE),
        Case(f"GET {one}/metrics", "read", "/v1/jobs/{job}/metrics"),
        Case(f"GET {one}/report", "read", "/v1/jobs/{job}/report"),
    ]


def audit_cases() -> list[Case]:
    route, all_of_job = "/v1/jobs/{job_id}/audits/{audit_id}", "/v1/jobs/{predicted}/audits"
    one = f"{all_of_job}/{{audit}}"
    said = {"json": {"answers": [{"item": "0.png", "label": "red"}]}}
    return [
        Case("GET /v1/jobs/{job_id}/audits", "read", all_of_job),
        Case("POST /v1/jobs/{job_id}/audits", "write", all_of_job, {"json": {"size": 2}}),
        Case(f"GET {route}", "read", one),
        Case(f"DELETE {route}", "write", f"{all_of_job}/{{spare_audit}}"),
        Case(f"PUT {route}/answers", "write", f"{one}/answers", said),
        Case(f"GET {route}/answers", "read", f"{one}/answers"),
        Case(f"POST {route}/confirm", "write", f"{one}/confirm"),
    ]


def prediction_cases() -> list[Case]:
    batches, one = "/v1/batch-predictions", "/v1/batch-predictions/{batch_id}"
    body = {"json": {"model": "{model}", "dataset_id": "{dataset}"}}
    return [
        Case("GET /v1/jobs/{job_id}/predictions", "read", "/v1/jobs/{predicted}/predictions"),
        Case("GET /v1/jobs/compare", "read", "/v1/jobs/compare?jobs={predicted},{predicted_too}"),
        Case(f"GET {batches}", "read", foreign="empty"),
        Case(f"POST {batches}", "write", request=body),
        Case(f"GET {one}", "read", f"{batches}/{{batch}}"),
        Case(f"GET {one}/predictions", "read", f"{batches}/{{batch}}/predictions"),
        Case(f"POST {one}/cancel", "write", f"{batches}/{{queued_batch}}/cancel"),
        Case(f"DELETE {one}", "write", f"{batches}/{{batch}}"),
    ]


def model_cases() -> list[Case]:
    one = "/v1/models/{model_id}"
    image = {"files": {"image": ("a.png", b"{picture}")}}
    named = {"data": {"model": "{model}"}, **image}
    by_alias = {"json": {"model": "{alias}", "inputs": [{"image": "{base64}"}]}}
    return [
        Case("GET /v1/models", "read", foreign="empty"),
        Case(f"GET {one}", "read", "/v1/models/{model}"),
        Case(f"GET {one}", "read", "/v1/models/{alias}"),
        Case(f"PATCH {one}", "write", "/v1/models/{model}", {"json": {"name": "mine"}}),
        Case(f"DELETE {one}", "write", "/v1/models/{spare}"),
        Case(f"GET {one}/artifact", "read", "/v1/models/{model}/artifact"),
        Case(f"GET {one}/artifact", "read", "/v1/models/{alias}/artifact"),
        Case(f"POST {one}/predict", "predict", "/v1/models/{model}/predict", image),
        Case(f"POST {one}/predict", "predict", "/v1/models/{alias}/predict", image),
        Case("POST /predict", "predict", request=named),
        Case("POST /predict", "predict", request=by_alias),
        Case("GET /v1/aliases", "read", foreign="empty"),
        Case("GET /v1/aliases/{name}", "read", "/v1/aliases/{alias}"),
        Case("PUT /v1/aliases/{name}", "write", "/v1/aliases/{alias}", {"json": {"model_id": "{model}"}}),
        Case("DELETE /v1/aliases/{name}", "write", "/v1/aliases/{alias}"),
    ]


def webhook_cases() -> list[Case]:
    one = "/v1/webhooks/{webhook_id}"
    body = {"json": {"url": "https://example.com/hook"}}
    message = "/v1/webhooks/{webhook}/deliveries/{delivery}/redeliver"
    return [
        Case(f"POST {one}/test", "write", "/v1/webhooks/{webhook}/test"),
        Case("GET /v1/webhooks", "read", foreign="empty"),
        Case("POST /v1/webhooks", "write", request=body, foreign="shared"),
        Case(f"GET {one}", "read", "/v1/webhooks/{webhook}"),
        Case(f"DELETE {one}", "write", "/v1/webhooks/{spare_webhook}"),
        Case(f"GET {one}/deliveries", "read", "/v1/webhooks/{webhook}/deliveries"),
        Case(f"POST {one}/deliveries/{{delivery_id}}/redeliver", "write", message),
    ]


OTHER_CASES = [
    Case("GET /v1/base-models", "read", foreign="shared"),
    Case("GET /v1/templates", "read", foreign="shared"),
    Case("GET /v1/me", "any", foreign="shared"),
    Case("GET /v1/keys", "admin", foreign="shared"),
    Case("POST /v1/keys", "admin", request={"json": {"name": "laptop"}}, foreign="shared"),
    Case("POST /v1/keys/{key_id}/revoke", "admin", "/v1/keys/key_0/revoke", foreign="shared"),
    Case("POST /v1/prune", "admin", request={"json": {"dry_run": True}}, foreign="shared"),
    Case("GET /metrics", "admin", foreign="shared"),
    Case("GET /health/live", None),
    Case("GET /health/ready", None),
    Case("GET /openapi.json", None),
    Case("GET /docs", None),
    Case("GET /assets/{path:path}", None, "/assets/app.css"),
]
CASES = [
    *dataset_cases(),
    *job_cases(),
    *audit_cases(),
    *prediction_cases(),
    *model_cases(),
    *webhook_cases(),
    *OTHER_CASES,
]
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
