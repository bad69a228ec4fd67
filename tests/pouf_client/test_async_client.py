"""The client on an event loop: the same calls, over the real API and over answers of a script."""

from __future__ import annotations

import asyncio
import inspect
import json

import pytest

from pouf_client import AsyncClient, Client, Deleted, JobFailed, WaitTimeout, jobs, waiting
from tests.app.conftest import application
from tests.app.conftest import picture as picture
from tests.app.conftest import server as api_server
from tests.pouf_client.conftest import Answer, job, problem, stream
from tests.waiting import WAIT_SECONDS

__all__ = ["api_server", "application"]


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch):
    monkeypatch.setattr(jobs, "RECONNECT_SECONDS", 0.01)
    monkeypatch.setattr(waiting, "PAUSE_SECONDS", 0.01)


def run(server, call, **options):
    async def inside():
        async with AsyncClient(server.url, **options) as pouf:
            return await call(pouf)

    return asyncio.run(inside())


def test_every_method_of_one_client_is_one_of_the_other():
    blocking, asynchronous = Client("http://127.0.0.1:1"), AsyncClient("http://127.0.0.1:1")
    resources = _public(blocking).keys() & vars(blocking).keys()
    assert resources == _public(asynchronous).keys() & vars(asynchronous).keys()
    pairs = [(blocking, asynchronous), *((getattr(blocking, name), getattr(asynchronous, name)) for name in resources)]
    for first, second in pairs:
        assert _public(first) == _public(second)


def _public(of):
    """Public members by name; of methods, with their parameters."""
    members = {name: getattr(of, name) for name in dir(of) if not name.startswith("_")}
    return {
        name: [*inspect.signature(member).parameters.values()] if callable(member) else None
        for name, member in members.items()
    }


def test_lists_events_and_files_come_on_an_event_loop(server, tmp_path):
    pages = [
        {"data": [{"id": "ds_1", "status": "ready"}], "has_more": True, "next_cursor": "c"},
        {"data": [{"id": "ds_2", "status": "ready"}], "has_more": False},
    ]
    server.answers = [
        *(Answer(200, json.dumps(page).encode()) for page in pages),
        stream((1, "job.queued"), cut_at=-10),
        stream((1, "job.queued"), (2, "job.succeeded")),
        job("succeeded"),
        stream(),
        Answer(200, b"name,label\r\n"),
    ]

    async def calls(pouf):
        datasets = [dataset.id async for dataset in pouf.datasets.list()]
        events = [event.seq async for event in pouf.jobs.events("job_1")]
        return datasets, events, await pouf.jobs.save_predictions("job_1", tmp_path / "a.csv")

    assert run(server, calls) == (["ds_1", "ds_2"], [1, 2], tmp_path / "a.csv")


def test_a_lost_answer_is_asked_for_again_with_the_same_key(server, tmp_path):
    (tmp_path / "a.png").write_bytes(b"picture" * 1000)
    dataset = Answer(202, b'{"id": "ds_1", "status": "ready"}')
    server.answers = [problem(503, "busy", **{"Retry-After": "0"}), Answer(202, dataset.body, cut_at=3), dataset]
    assert run(server, lambda pouf: pouf.datasets.create(tmp_path)).id == "ds_1"
    assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 1
    assert [request.body.count(b"picture") for request in server.requests] == [1000] * 3


def test_pictures_are_classified_over_the_real_api(api_server, rows, picture, tmp_path):
    model = rows.model(modality="image")
    (tmp_path / "a.png").write_bytes(picture("lime"))

    async def calls():
        async with AsyncClient(str(api_server.base_url)) as pouf:
            several = await asyncio.gather(*(pouf.predict(str(tmp_path), model) for _ in range(3)))
            return [(answer.items[0].name, answer.items[0].label) for answer in several]

    assert asyncio.run(calls()) == [("a.png", "green")] * 3


def test_waiting_lets_the_event_loop_go_on(server):
    server.answers = [job("queued"), job("running"), job("succeeded")]
    seen = []

    async def calls(pouf):
        waited = asyncio.create_task(pouf.jobs.wait("job_1", on_progress=lambda state: seen.append(state.status)))
        beside = 0
        while not waited.done():
            await asyncio.sleep(0.002)
            beside += 1
        return beside, (await waited).status

    beside, status = run(server, calls)
    assert (status, seen) == ("succeeded", ["queued", "running", "succeeded"])
    assert beside > 3


@pytest.mark.parametrize(
    ("answers", "error", "said"),
    [
        ([job("running")] * 9, WaitTimeout, "still running"),
        ([job("running"), problem(404, "job_not_found")], Deleted, "job_1 was deleted while it was waited for"),
        ([job("failed", error={"code": "out_of_memory", "message": "No."})], JobFailed, "out_of_memory"),
    ],
)
def test_waiting_ends_with_an_error_that_says_why(server, answers, error, said):
    seconds = 0.05 if error is WaitTimeout else WAIT_SECONDS
    server.answers = [*answers, *answers]
    with pytest.raises(error, match=said):
        run(server, lambda pouf: pouf.jobs.wait("job_1", timeout=seconds))
    server.answers = list(answers)
    with Client(server.url) as pouf, pytest.raises(error, match=said):
        pouf.jobs.wait("job_1", timeout=seconds)


def test_a_service_that_is_away_for_a_moment_is_waited_for(server):
    server.answers = [job("running"), problem(503, "restarting"), job("succeeded")]
    with Client(server.url, retries=0) as pouf:
        assert pouf.jobs.wait("job_1", timeout=WAIT_SECONDS).status == "succeeded"


def test_the_service_is_asked_to_hold_its_answer_back_until_the_end(server):
    server.answers = [job("succeeded")] * 3
    with Client(server.url) as pouf, Client(server.url, timeout=4) as hasty:
        pouf.jobs.wait("job_1")
        pouf.jobs.wait("job_1", on_progress=print)
        hasty.jobs.wait("job_1")
    assert [request.headers.get("Prefer") for request in server.requests] == ["wait=30", "wait=1", "wait=2"]


@pytest.mark.parametrize("missing", [(), ("rich",), ("rich", "tqdm")])
def test_progress_is_drawn_by_what_is_installed(server, monkeypatch, capsys, missing):
    from pouf_client import InvalidInput, progress

    found = progress.find_spec
    monkeypatch.setattr(progress, "find_spec", lambda name: None if name in missing else found(name))
    server.answers = [job("running", progress={"step": 1, "total_steps": 4}), job("succeeded")]
    with Client(server.url) as pouf:
        if "tqdm" in missing:
            with pytest.raises(InvalidInput, match="pip install"):
                pouf.jobs.wait("job_1", progress=True)
        else:
            pouf.jobs.wait("job_1", progress=True)
            drawn = capsys.readouterr()
            assert "job_1" in drawn.out + drawn.err
