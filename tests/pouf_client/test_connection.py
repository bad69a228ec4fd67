import os

import pytest

from cli.addresses import free_port
from pouf_client import ApiError, AsyncClient, Client, InvalidInput, NotFound, Unreachable
from tests.pouf_client.conftest import Answer, problem

JOB = Answer(202, b'{"id": "job_1", "status": "queued", "dataset_id": "ds_1"}')


def test_an_error_answer_is_raised_with_its_fields(server):
    server.answers = [problem(422, "too_few_classes")]
    with Client(server.url) as client, pytest.raises(ApiError) as raised:
        client.jobs.get("job_1")
    error = raised.value
    assert (error.status, error.code, error.detail) == (422, "too_few_classes", "It is too_few_classes.")
    assert (error.request_id, error.errors, error.should_retry) == ("req_1", [{"pointer": "/a"}], True)
    assert str(error) == "It is too_few_classes. (422 too_few_classes)"


@pytest.mark.parametrize("body", [b"<h1>Bad gateway</h1>", b'["list"]'])
def test_an_error_that_is_no_problem_document_is_raised_too(server, body):
    server.answers = [Answer(500, body)]
    with Client(server.url) as client, pytest.raises(ApiError) as raised:
        client.jobs.get("job_1")
    assert raised.value.code == "unknown"
    assert body.decode() in raised.value.message and server.url in raised.value.message


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_temporary_refusal_is_retried(server, status):
    server.answers = [problem(status, "busy"), problem(status, "busy"), JOB]
    with Client(server.url) as client:
        assert client.jobs.get("job_1").id == "job_1"
    assert len(server.requests) == 3


def test_a_refusal_marked_as_final_is_not_retried(server):
    server.answers = [problem(503, "never", **{"x-should-retry": "false"})]
    with Client(server.url) as client, pytest.raises(ApiError):
        client.jobs.get("job_1")
    assert len(server.requests) == 1


def test_the_error_is_raised_after_the_last_retry(server):
    server.answers = [problem(503, "busy")] * 3
    with Client(server.url, retries=2) as client, pytest.raises(ApiError, match="busy"):
        client.jobs.get("job_1")
    assert len(server.requests) == 3


def test_pruning_is_waited_for_as_long_as_it_takes_and_asked_for_once(server):
    import time

    def slow(_):
        time.sleep(0.3)
        return Answer(200, b'{"counts": {"events": 2}}')

    server.answers = [slow, problem(503, "busy")]
    with Client(server.url, timeout=0.1) as client:
        assert client.prune() == {"events": 2}
        with pytest.raises(ApiError, match="busy"):
            client.prune()
    assert len(server.requests) == 2


def test_retry_after_is_obeyed(server):
    import time

    server.answers = [problem(503, "busy", **{"Retry-After": "1"}), JOB]
    started = time.monotonic()
    with Client(server.url) as client:
        client.jobs.get("job_1")
    assert time.monotonic() - started >= 1


def test_a_date_to_retry_after_is_no_error(server, tmp_path):
    date = {"Retry-After": "Fri, 31 Dec 2027 23:59:59 GMT"}
    server.answers = [Answer(202, b"{}", date), problem(503, "busy", **date), Answer(200, b"name,label\r\n")]
    with Client(server.url) as client:
        assert client.jobs.save_predictions("job_1", tmp_path / "a.csv").read_bytes() == b"name,label\r\n"


@pytest.mark.parametrize("first", [problem(503, "busy"), Answer(200, b"name,label\r\na,bird\r\n", cut_at=12)])
def test_a_download_is_tried_again_from_its_beginning(server, tmp_path, first):
    server.answers = [first, Answer(200, b"name,label\r\n"), first, Answer(200, b"a JPEG")]
    with Client(server.url) as client:
        assert client.jobs.save_predictions("job_1", tmp_path / "a.csv").read_bytes() == b"name,label\r\n"
        assert client.datasets.thumbnail("ds_1", "0a") == b"a JPEG"


def test_a_deletion_whose_answer_was_lost_is_done(server):
    server.answers = [Answer(200, cut_at=1), problem(404, "job_not_found"), problem(404, "job_not_found")]
    with Client(server.url) as client:
        client.jobs.delete("job_1")
        with pytest.raises(NotFound):
            client.jobs.delete("job_1")


def test_every_try_of_one_creation_has_the_same_idempotency_key_and_another_creation_another(server):
    server.answers = [problem(409, "idempotency_key_in_flight"), Answer(202, JOB.body, cut_at=3), JOB, JOB]
    with Client(server.url) as client:
        client.jobs.create("ds_1", ["a", "b"])
        client.jobs.create("ds_1", ["a", "b"])
    keys = [request.headers["Idempotency-Key"] for request in server.requests]
    assert keys[0] == keys[1] == keys[2] != keys[3]


def test_other_conflicts_are_not_retried(server):
    server.answers = [problem(409, "job_is_final")]
    with Client(server.url) as client, pytest.raises(ApiError, match="job_is_final"):
        client.jobs.cancel("job_1")


def test_an_upload_is_sent_whole_again(server, tmp_path):
    (tmp_path / "a.png").write_bytes(b"picture" * 1000)
    dataset = Answer(202, b'{"id": "ds_1", "status": "ready"}')
    server.answers = [problem(503, "busy"), dataset]
    with Client(server.url) as client:
        client.datasets.create([tmp_path / "a.png"])
    first, second = (request.body.count(b"picture") for request in server.requests)
    assert first == second == 1000


def test_a_service_that_does_not_listen_is_unreachable():
    with Client(f"http://127.0.0.1:{free_port('127.0.0.1')}", retries=0) as client, pytest.raises(Unreachable):
        client.jobs.get("job_1")


def test_the_api_key_is_sent(server):
    server.answers = [JOB]
    with Client(server.url, api_key="secret") as client:
        client.jobs.get("job_1")
    assert server.requests[0].headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("given", "environment", "sent"),
    [
        (None, "from-outside", "Bearer from-outside"),
        ("mine", "from-outside", "Bearer mine"),
        ("", "from-outside", None),
    ],
)
def test_the_api_key_may_come_from_the_environment(server, monkeypatch, given, environment, sent):
    monkeypatch.setenv("POUF_API_KEY", environment)
    server.answers = [JOB]
    with Client(server.url, given) as client:
        client.jobs.get("job_1")
    assert server.requests[0].headers.get("Authorization") == sent


@pytest.fixture
def proxied(monkeypatch):
    """An environment that names a proxy which is not there."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def name_proxy(address):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, address)

    name_proxy("http://127.0.0.1:9")
    return name_proxy


def test_a_service_on_this_machine_is_spoken_to_without_a_proxy(server, proxied):
    server.answers = [JOB]
    with Client(server.url, retries=0) as client:
        assert client.jobs.get("job_1").id == "job_1"
    with Client("http://pouf.invalid", retries=0) as client, pytest.raises(Unreachable, match="refused"):
        client.jobs.get("job_1")  # whose name only the proxy could know


@pytest.mark.parametrize("address", ["socks5://ann:hush@127.0.0.1:9", "http://ann:hush@[::1", "nonsense://hush"])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_proxy_that_cannot_be_used_is_told_by_its_variables(proxied, address, kind):
    proxied(address)
    with pytest.raises(InvalidInput, match="ALL_PROXY") as caught:
        kind("http://pouf.invalid")
    assert caught.value.code == "invalid_proxy"
    assert "hush" not in str(caught.value)


def test_what_is_no_unicode_is_told_and_not_sent(server):
    with Client(server.url) as client, pytest.raises(InvalidInput, match="UTF-8") as caught:
        client.models.rename("mdl_1", os.fsdecode(b"caf\xe9"))
    assert (caught.value.code, server.requests) == ("not_unicode", [])
