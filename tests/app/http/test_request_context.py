import asyncio
import json
import logging

import anyio
import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.http.metrics import HttpMetrics
from app.http.request_context import RequestContext
from app.main import create_app
from tests.app.colour_engine import ColourEngine


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
def test_every_route_limits_the_size_of_its_body(settings, refused, method, path):
    small = {"max_json_bytes": 2048, "max_predict_bytes": 2048, "max_upload_bytes": 2048}
    application = create_app(settings.model_copy(update=small), ColourEngine)
    with TestClient(application) as api:
        answer = api.request(method, path, content=b"x" * 4096)
        refused(answer, 413, "body_too_large")


def test_a_body_that_stops_coming_times_out(settings, refused):
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
    request = httpx.Request("POST", "http://testserver/v1/jobs")
    answer = httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=sent[1]["body"], request=request)
    refused(answer, 408, "client_stalled")


def test_requests_without_a_key_write_no_lines_and_long_paths_short_ones(api, caplog, make_key):
    key = make_key()
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert api.get("/v1/jobs").status_code == 401
        assert not [record for record in caplog.records if record.name.startswith("app.")]
        api.get("/v1/" + "x" * 10_000, headers={"Authorization": f"Bearer {key}"})
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("app.")]
    assert [len(line) < 1000 for line in lines] == [True]


def test_a_line_break_in_a_path_forges_no_line_in_the_log(api, caplog):
    with caplog.at_level(logging.INFO):
        api.get("/v1/jobs/x%0aINFO%20forged")
    lines = [record.getMessage() for record in caplog.records]
    assert any("GET /v1/jobs/x%0AINFO%20forged 404" in line for line in lines)
    assert not any("\n" in line for line in lines)


def test_a_client_that_leaves_in_the_middle_of_a_body_is_no_failure_of_the_service(settings, caplog):
    application = create_app(settings, ColourEngine)
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive():
        return next(messages)

    async def send(message):
        pass

    async def leave(body_of):
        scope = {
            "type": "http",
            "method": "POST",
            "path": body_of,
            "raw_path": body_of.encode(),
            "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
            "query_string": b"",
            "client": ("127.0.0.1", 1),
        }
        await application(scope, receive, send)

    with TestClient(application) as api, caplog.at_level(logging.INFO):
        api.portal.call(leave, "/v1/jobs")
        lines = [record for record in caplog.records if "/v1/jobs" in record.getMessage()]
        assert [record.levelname for record in caplog.records if record.exc_info] == []
    assert [line.getMessage().split()[2] for line in lines] == ["400"]


def test_a_request_that_outlasts_the_servers_end_is_told_to_come_again():
    async def never_answers(*_):
        await asyncio.sleep(60)

    sent = []

    async def send(message):
        sent.append(message)

    async def ask():
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/v1/jobs",
            "headers": [],
            "query_string": b"",
            "app": FastAPI(),
        }
        context = RequestContext(never_answers, lambda _: 0, lambda _: False, HttpMetrics(), 1)
        asking = asyncio.ensure_future(context(scope, None, send))
        await asyncio.sleep(0.01)
        asking.cancel()
        await asking

    asyncio.run(ask())
    headers = dict(sent[0]["headers"])
    assert (sent[0]["status"], headers[b"retry-after"]) == (503, b"5")
    assert json.loads(sent[1]["body"])["code"] == "shutting_down"
