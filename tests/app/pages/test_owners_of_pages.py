"""What each page may be asked by whom. One application serves all cases: pages have the callers of the other routes."""

import pytest
from fastapi.routing import iter_route_contexts

from app.http.page_paths import is_page
from app.keys import service as keys
from app.keys.service import NewKey
from tests.app.predicted.conftest import predict, predicted

__all__ = ["predict", "predicted"]  # fixtures

# what a route needs, and a path of alice's
PAGES = {
    "GET /": ("read", None),
    "GET /datasets": ("read", None),
    "GET /datasets/{dataset_id}": ("read", "/datasets/{dataset}"),
    "GET /datasets/{dataset_id}/items": ("read", "/datasets/{dataset}/items"),
    "POST /datasets/{dataset_id}/read-again": ("write", "/datasets/{unused_dataset}/read-again"),
    "POST /datasets/{dataset_id}/delete": ("write", "/datasets/{spare_dataset}/delete"),
    "GET /jobs": ("read", None),
    "GET /jobs/new": ("read", "/jobs/new?dataset={dataset}"),
    "POST /jobs": ("write", None),
    "POST /jobs/trial": ("write", "/jobs/trial"),
    "GET /jobs/{job_id}": ("read", "/jobs/{job}"),
    "POST /jobs/{job_id}/{action}": ("write", "/jobs/{job}/pause"),
    "POST /jobs/{job_id}/delete": ("write", "/jobs/{finished}/delete"),
    "POST /jobs/{job_id}/reviews": ("write", "/jobs/{predicted}/reviews"),
    "GET /jobs/{job_id}/reviews/{audit_id}": ("read", "/jobs/{predicted}/reviews/{audit}"),
    "POST /jobs/{job_id}/reviews/{audit_id}/answers": ("write", "/jobs/{predicted}/reviews/{audit}/answers"),
    "POST /jobs/{job_id}/reviews/{audit_id}/confirm": ("write", "/jobs/{predicted}/reviews/{audit}/confirm"),
    "GET /jobs/compare": ("read", "/jobs/compare?first={predicted}&second={predicted_too}"),
    "GET /models": ("read", None),
    "GET /models/{model_id}": ("read", "/models/{model}"),
    "GET /models/{model_id}/threshold": ("read", "/models/{model}/threshold"),
    "GET /models/{model_id}/map": ("read", "/models/{mapped}/map"),
    "GET /models/{model_id}/map/{place}": ("read", "/models/{mapped}/map/0"),
    "GET /models/{model_id}/export": ("read", "/models/{model}/export"),
    "POST /models/{model_id}/alias": ("write", "/models/{model}/alias"),
    "POST /models/{model_id}/alias/delete": ("write", "/models/{model}/alias/delete"),
    "POST /models/{model_id}/try": ("predict", "/models/{model}/try"),
    "GET /service": ("read", None),
    "GET /webhooks": ("read", None),
    "POST /webhooks": ("write", None),
    "GET /webhooks/{webhook_id}": ("read", "/webhooks/{webhook}"),
    "POST /webhooks/{webhook_id}/test": ("write", "/webhooks/{webhook}/test"),
    "POST /webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver": (
        "write",
        "/webhooks/{webhook}/deliveries/{delivery}/redeliver",
    ),
    "POST /webhooks/{webhook_id}/delete": ("write", "/webhooks/{spare_webhook}/delete"),
    "GET /keys": ("admin", None),
    "POST /keys": ("admin", None),
    "POST /keys/{key_id}/revoke": ("admin", "/keys/{key}/revoke"),
}
OPEN = {
    "GET /guide",
    "GET /guide/",
    "GET /guide/{path:path}",
    "GET /sign-in",
    "POST /sign-in",
    "POST /sign-out",
}


@pytest.fixture
def alices(rows, predicted, predict, settings, database) -> dict[str, str]:
    made = predicted(4, owner="alice")
    reviewed, webhook = made.job_id, rows.webhook(owner="alice")
    mapped = rows.model_of(reviewed, owner="alice")
    dataset = rows.dataset(owner="alice", name="photographs")
    return {
        "dataset": dataset,
        "unused_dataset": rows.dataset(owner="alice"),
        "spare_dataset": rows.dataset(owner="alice"),
        "job": rows.job(owner="alice", dataset_id=dataset, name="adaptation"),
        "finished": rows.job("running", "failed", owner="alice", dataset_id=dataset),
        "model": rows.model(owner="alice", name="adapted model"),
        "mapped": mapped,
        "predicted": reviewed,
        "predicted_too": predict(made.dataset_id, made.names, owner="alice", seed=1).job_id,
        "audit": rows.audit(reviewed, answered=True),
        "webhook": webhook,
        "spare_webhook": rows.webhook(owner="alice"),
        "delivery": rows.delivery(webhook, owner="alice"),
        "key": keys.create(settings, database, NewKey("alice", "spare", ["read"]))[0].id,
    }


@pytest.fixture
def ask(api, alices, picture):
    """Asks for a page with a key, as scripts in pages do."""

    def send(route: str, key: str | None):
        method, path = route.split(" ")
        target = (PAGES[route][1] or path).format(**alices)
        headers = {"HX-Request": "true", **({"Authorization": f"Bearer {key}"} if key else {})}
        if method == "GET":
            return api.get(target, headers=headers)
        job = {"dataset_id": alices["dataset"], "class_names": "cat\ndog"}
        if path in ("/jobs", "/jobs/trial"):
            return api.post(target, data=job, headers=headers)
        fields = {"alias": "best", "size": "2", "item": "0.png", "answer": "cant_tell"}
        fields |= {"url": "https://example.com/", "event_types": "job.failed", "name": "key", "owner": "alice"}
        fields |= {"scopes": "read"}
        return api.post(target, data=fields, files={"picture": ("a.png", picture())}, headers=headers)

    return send


def test_every_page_has_a_case(application):
    routes = iter_route_contexts(application.routes)
    served = {
        f"{method} {route.path}" for route in routes if is_page(route.path) for method in route.methods - {"HEAD"}
    }
    assert served == set(PAGES) | OPEN


def test_pages_need_a_key_with_the_scope_and_of_the_owner(ask, alices, make_key):
    scopes = {"read", "write", "predict"}
    holders = {scope: make_key("alice", scope) for scope in scopes | {"admin"}}
    lackers = {scope: make_key("alice", *scopes - {scope}) for scope in scopes | {"admin"}}
    bob = make_key("bob", *scopes)
    for route, (scope, path) in PAGES.items():
        assert ask(route, None).status_code == 401, route
        refused = ask(route, lackers[scope])
        assert (refused.status_code, f"`{scope}`" in refused.text) == (403, True), route
        foreign = ask(route, bob)
        if path is not None or route == "POST /jobs":
            assert foreign.is_client_error, route
        for name in ("photographs", "adaptation", "adapted model", *(alices.values() if path is None else ())):
            assert name not in foreign.text or route == "POST /jobs", route
        # the export asks further which form is wanted
        assert ask(route, holders[scope]).status_code == (422 if route.endswith("/export") else 200), route
