"""What every answer carries, and what no request gets away with."""

import logging
import socket
import threading
import time

import anyio
import httpx
import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from tests.app.colour_engine import ColourEngine


def policy_of(answer) -> dict[str, str]:
    parts = [part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";")]
    return {name: value for name, _, value in parts}


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/nothing", "/health/live", "/docs", "/v1/jobs?limit=0"])
def test_every_answer_keeps_browsers_from_guessing_framing_and_telling(api, path):
    answer = api.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-frame-options"] == "DENY"
    assert policy_of(answer)["frame-ancestors"] == "'none'"
    assert answer.headers["cache-control"] == "no-store"


def test_refusals_before_any_route_carry_the_headers_too(api, make_key, refused):
    make_key()
    answer = api.get("/v1/jobs")
    refused(answer, 401, "missing_api_key")
    assert answer.headers["x-content-type-options"] == "nosniff"
    large = api.post("/v1/jobs", content=b"", headers={"content-length": str(10**12)})
    refused(large, 413, "body_too_large")
    assert policy_of(large)["default-src"] == "'none'"


def test_a_report_may_run_nothing_and_load_nothing(api, rows):
    answer = api.get(f"/v1/jobs/{rows.job()}/report")
    policy = policy_of(answer)
    assert policy["default-src"] == "'none'"
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert "<script" not in answer.text


def test_the_documentation_runs_only_what_it_needs(api):
    policy = policy_of(api.get("/docs"))
    assert policy["script-src"] == "'unsafe-inline' https://cdn.jsdelivr.net"
    assert policy["connect-src"] == "'self'"


def test_what_has_an_etag_may_be_kept_by_its_caller_alone(api, rows):
    assert api.get(f"/v1/jobs/{rows.job()}").headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/jobs"),
        ("POST", "/predict"),
        ("POST", "/v1/jobs/job_0/cancel"),
        ("PUT", "/v1/aliases/a"),
        ("POST", "/v1/datasets"),
        ("PUT", "/v1/datasets/ds_0/archive"),
        ("GET", "/v1/jobs"),
        ("POST", "/v1/nothing"),
    ],
)
def test_every_route_has_a_bound_on_its_body(settings, refused, method, path):
    small = {"max_json_bytes": 2048, "max_predict_bytes": 2048, "max_upload_bytes": 2048}
    application = create_app(settings.model_copy(update=small), ColourEngine)
    with TestClient(application) as api:
        answer = api.request(method, path, content=b"x" * 4096)
        refused(answer, 413, "body_too_large")


def test_a_body_that_stops_coming_is_given_up(settings, refused):
    application = create_app(settings.model_copy(update={"stall_seconds": 0.2}), ColourEngine)

    async def receive():
        await anyio.sleep(60)

    sent = []

    async def send(message):
        sent.append(message)

    async def ask():
        async with application.router.lifespan_context(application):
            scope = {
                "type": "http",
                "method": "POST",
                "path": "/v1/jobs",
                "raw_path": b"/v1/jobs",
                "query_string": b"",
                "headers": [(b"content-type", b"application/json"), (b"content-length", b"10")],
                "server": ("127.0.0.1", 80),
                "client": ("127.0.0.1", 1),
                "scheme": "http",
                "http_version": "1.1",
                "root_path": "",
            }
            await application(scope, receive, send)

    anyio.run(ask)
    answer = httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=sent[1]["body"])
    refused(answer, 408, "client_stalled")


def test_a_line_break_in_a_path_forges_no_line_in_the_log(api, caplog):
    with caplog.at_level(logging.INFO):
        api.get("/v1/jobs/x%0aINFO%20forged")
    lines = [record.getMessage() for record in caplog.records]
    assert any("GET /v1/jobs/x%0AINFO%20forged 404" in line for line in lines)
    assert not any("\n" in line for line in lines)


def test_no_url_in_a_request_is_fetched(api, rows, refused):
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(1.0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/a.png"
    called = []

    def listen():
        try:
            called.append(listener.accept())
        except TimeoutError:
            return

    thread = threading.Thread(target=listen)
    thread.start()
    model_id = rows.model()
    refused(api.post(f"/v1/models/{model_id}/predict", json={"inputs": [{"image": url}]}), 422, "invalid_base64")
    job = {"dataset_id": rows.dataset(), "class_names": ["a", "b"]}
    for base_model in (url, f"open_clip:ViT-B-32/{url}", f"hf-mlm:{url}"):
        answer = api.post("/v1/jobs", json={**job, "base_model": base_model})
        assert answer.status_code == 422
    api.post("/v1/datasets", files={"files": ("urls.txt", url.encode())})
    time.sleep(0.2)
    thread.join()
    listener.close()
    assert called == []
