"""Jobs as the client asks for them, follows them and waits for them."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from pouf_client import (
    ApiError,
    JobFailed,
    Note,
    Unreachable,
)
from tests.pouf_client.conftest import Answer, answer, job, problem, stream


def test_arguments_that_are_not_given_are_not_sent(client, server):
    server.answers = [job("queued")]
    client.jobs.create("ds_1", ["a", {"name": "b", "prompt": "bee"}])
    assert json.loads(server.requests[0].body) == {
        "dataset_id": "ds_1",
        "class_names": ["a", {"name": "b", "prompt": "bee"}],
        "seed": 0,
        "metadata": {},
    }


def test_events_resume_after_the_last_one_of_a_broken_stream(client, server):
    server.answers = [
        stream((1, "job.queued"), (2, "job.progress"), cut_at=-10),
        stream((2, "job.progress"), (3, "job.succeeded")),
        job("succeeded"),
        stream(),
    ]
    assert [event.seq for event in client.jobs.events("job_1")] == [1, 2, 3]
    sent = [request.headers.get("Last-Event-ID") for request in server.requests]
    assert sent == ["0", "1", None, "3"]


def test_a_stream_that_ends_early_is_opened_again(client, server):
    first, second = stream((1, "job.queued")), stream((2, "job.succeeded"))
    server.answers = [first, job("running"), second, job("succeeded"), stream()]
    assert [event.seq for event in client.jobs.events("job_1")] == [1, 2]


def test_the_last_events_come_once_though_the_look_for_them_broke(client, server):
    events = stream((1, "job.progress"), (2, "job.succeeded"))
    cut = Answer(200, events.body, events.headers, cut_at=-10)
    server.answers = [stream(), job("succeeded"), cut, stream((2, "job.succeeded")), job("succeeded"), stream()]
    assert [event.seq for event in client.jobs.events("job_1")] == [1, 2]
    assert server.requests[3].headers["Last-Event-ID"] == "1"


def test_events_are_asked_for_again_while_the_service_is_briefly_unavailable(client, server):
    away = problem(503, "database_unavailable")
    server.answers = [away, stream((1, "job.succeeded")), job("succeeded"), stream()]
    assert [event.seq for event in client.jobs.events("job_1")] == [1]


def test_a_job_that_is_unknown_has_no_events(client, server):
    server.answers = [problem(404, "job_not_found")]
    with pytest.raises(ApiError, match="job_not_found"):
        list(client.jobs.events("job_1"))


def test_waiting_reports_progress_and_returns_the_job(client, server):
    done = job("succeeded", model_id="mdl_1", progress={"step": 4, "total_steps": 4, "fraction": 1.0})
    server.answers = [job("queued"), job("running"), job("running"), done]
    seen = []
    result = client.jobs.wait("job_1", on_progress=lambda state: seen.append(state.status))
    assert seen == ["queued", "running", "succeeded"]
    assert (result.model_id, result.step, result.fraction) == ("mdl_1", 4, 1.0)


def test_a_job_and_its_model_carry_the_verdict_and_its_reasons(client, server):
    reasons = [{"code": "classes_vanished", "message": "2 classes are gone."}]
    said = {"verdict": "harmful", "verdict_reasons": reasons, "fallback": "zero_shot", "selected_step": 0}
    server.answers = [job("succeeded", **said), answer({"id": "mdl_1", "base_model": "pouf-lite", **said})]
    for found in (client.jobs.get("job_1"), client.models.get("mdl_1")):
        assert (found.verdict, found.fallback, found.selected_step) == ("harmful", "zero_shot", 0)
        assert found.verdict_reasons == [Note("classes_vanished", "2 classes are gone.")]


def test_answers_of_an_older_service_without_verdicts_are_read(client, server):
    server.answers = [job("succeeded"), answer({"id": "mdl_1", "base_model": "pouf-lite"})]
    for found in (client.jobs.get("job_1"), client.models.get("mdl_1")):
        assert (found.verdict, found.verdict_reasons, found.selected_step) == (None, [], None)


def test_a_baseline_is_asked_for_by_its_type_alone(client, server):
    server.answers = [job("queued")]
    client.jobs.create("ds_1", ["a", "b"], method={"type": "zero-shot"})
    assert json.loads(server.requests[0].body)["method"] == {"type": "zero-shot"}


def test_waiting_for_a_job_that_fails_raises_its_reason(client, server):
    failed = job("failed", error={"code": "out_of_memory", "message": "It did not fit."})
    server.answers = [failed]
    with pytest.raises(JobFailed, match=r"It did not fit. \(out_of_memory\)"):
        client.jobs.wait("job_1")


def test_predictions_of_a_dataset_are_read_page_after_page(client, server):
    pages = [
        {"data": [{"name": "a"}], "has_more": True, "next_cursor": "c"},
        {"data": [{"name": "b"}], "has_more": False, "next_cursor": None},
    ]
    server.answers = [answer(page) for page in pages]
    found = list(client.jobs.predictions("job_1", changed=True, below=0.6, sort="margin"))
    assert [item["name"] for item in found] == ["a", "b"]
    paths = [request.path for request in server.requests]
    assert all("changed=true&below=0.6&sort=margin" in path for path in paths)
    assert "cursor=c" in paths[1]


def test_a_file_of_predictions_is_there_whole_or_not_at_all(client, server, tmp_path):
    cut = Answer(200, b"name,label\r\nb,boat\r\n", cut_at=12)
    server.answers = [Answer(200, b"name,label\r\na,bird\r\n"), *[cut] * 10]
    path = client.jobs.save_predictions("job_1", tmp_path / "labels.csv", label="bird")
    assert path.read_bytes() == b"name,label\r\na,bird\r\n"
    assert server.requests[0].path == "/v1/jobs/job_1/predictions?label=bird&format=csv"
    with pytest.raises(Unreachable):
        client.jobs.save_predictions("job_1", tmp_path / "cut.csv")
    assert list(tmp_path.iterdir()) == [path]


def test_two_jobs_are_compared(client, server):
    server.answers = [answer({"object": "job_comparison", "agreement": 0.9})]
    assert client.jobs.compare("job_1", "job_2", limit=5)["agreement"] == 0.9
    assert parse_qs(urlsplit(server.requests[0].path).query) == {"jobs": ["job_1,job_2"], "limit": ["5"]}
