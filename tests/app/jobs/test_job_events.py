"""Events over a real server, because only that streams."""

import asyncio
import socket
import threading
from contextlib import ExitStack

import httpx
import pytest
from httpx_sse import connect_sse

from app.jobs import events, queries
from app.jobs.queries import list_events
from app.main import create_app
from store.transitions import append_event, lock_job
from tests.app.colour_engine import ColourEngine
from tests.waiting import wait_for


def note(rows, job_id, kind):
    with rows.database.write() as session:
        append_event(session, lock_job(session, job_id), kind)


def test_events_are_listed_in_order_and_in_pages(api, rows):
    job_id = rows.job("running")
    rows.move(job_id, "running", "training")
    first = api.get(f"/v1/jobs/{job_id}/events?limit=2").json()
    assert [(event["seq"], event["type"]) for event in first["data"]] == [(1, "job.queued"), (2, "job.running")]
    rest = api.get(f"/v1/jobs/{job_id}/events", params={"cursor": first["next_cursor"]}).json()
    assert [(event["seq"], event["type"], event["data"]) for event in rest["data"]] == [
        (3, "job.stage", {"stage": "training"})
    ]
    assert rest["has_more"] is False


def test_a_stream_sends_events_as_they_happen_and_ends_with_the_job(server, rows):
    job_id = rows.job()
    seen = []
    with connect_sse(server, "GET", f"/v1/jobs/{job_id}/events") as source:
        for event in source.iter_sse():
            seen.append((event.id, event.event, event.json()["seq"]))
            if event.event == "job.queued":
                rows.move(job_id, "running")
            if event.event == "job.running":
                note(rows, job_id, "job.progress")
                rows.move(job_id, "succeeded")
    assert seen == [
        ("1", "job.queued", 1),
        ("2", "job.running", 2),
        ("3", "job.progress", 3),
        ("4", "job.succeeded", 4),
    ]


def test_a_stream_resumes_after_the_last_event_received(server, rows):
    job_id = rows.job("running")
    with connect_sse(server, "GET", f"/v1/jobs/{job_id}/events") as source:
        last = [event.id for _, event in zip(range(2), source.iter_sse(), strict=False)][-1]
    note(rows, job_id, "job.progress")
    rows.move(job_id, "failed")
    with connect_sse(server, "GET", f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": last}) as source:
        assert [event.event for event in source.iter_sse()] == ["job.progress", "job.failed"]


def test_the_stream_of_a_job_that_stays_paused_ends_and_another_goes_on(server, rows, monkeypatch):
    monkeypatch.setattr(events, "STREAM_SECONDS", 0.7)
    job_id = rows.job()
    rows.move(job_id, "paused")
    with connect_sse(server, "GET", f"/v1/jobs/{job_id}/events") as source:
        seen = list(source.iter_sse())
    assert [event.event for event in seen] == ["job.queued", "job.paused"]
    rows.move(job_id, "queued")
    with connect_sse(server, "GET", f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": seen[-1].id}) as source:
        assert [event.event for event in source.iter_sse()] == ["job.queued"]


def test_streams_leave_connections_for_everything_else(settings, rows, refused, monkeypatch):
    job_id, asked = rows.job(), []

    def noted(*arguments):
        asked.append(arguments)
        return list_events(*arguments)

    monkeypatch.setattr(queries, "list_events", noted)
    settings = settings.model_copy(update={"max_connections": 1})
    path, headers = f"/v1/jobs/{job_id}/events", {"Accept": "text/event-stream"}

    async def ask():
        application = create_app(settings, ColourEngine)
        transport = httpx.ASGITransport(application, raise_app_exceptions=False)
        async with (
            application.router.lifespan_context(application),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            first = asyncio.ensure_future(client.get(path, headers=headers))
            while not asked and not first.done():
                await asyncio.sleep(0.02)
            answer = await client.get(path, headers=headers)
            first.cancel()
            return answer

    refused(asyncio.run(ask()), 429, "owner_overloaded")


def test_those_who_wait_for_news_leave_threads_for_everybody_else(server, rows, monkeypatch):
    asked, answer = [], threading.Event()

    def slowly(*arguments):
        asked.append(arguments)
        answer.wait()
        return list_events(*arguments)

    monkeypatch.setattr(queries, "list_events", slowly)
    path, place = f"/v1/jobs/{rows.job()}/events", (server.base_url.host, server.base_url.port)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode()
    with ExitStack() as stack:
        stack.callback(answer.set)
        for _ in range(60):
            stack.enter_context(socket.create_connection(place)).sendall(request)
        wait_for(lambda: asked)
        assert server.get("/v1/jobs").status_code == 200


def test_a_stream_of_a_final_job_replays_everything_and_ends(server, rows):
    job_id = rows.job("running")
    with rows.database.write() as session:
        for _ in range(600):
            append_event(session, lock_job(session, job_id), "job.progress")
    rows.move(job_id, "succeeded")
    with connect_sse(server, "GET", f"/v1/jobs/{job_id}/events") as source:
        assert [int(event.id) for event in source.iter_sse()] == list(range(1, 604))


@pytest.mark.parametrize("value", ["abc", "-1", "1.5"])
def test_a_last_event_id_that_was_never_sent_is_refused(api, rows, refused, value):
    headers = {"Accept": "text/event-stream", "Last-Event-ID": value}
    refused(api.get(f"/v1/jobs/{rows.job()}/events", headers=headers), 422, "invalid_last_event_id")
