"""A request for every route: which scope it needs, and what it answers about the rows of another owner."""

from dataclasses import dataclass, field
from typing import Any

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
