import pytest


@pytest.mark.parametrize("path", ["/health/live", "/v1/jobs", "/", "/v1/jobs/none"])
def test_head_is_answered_as_get_is_without_the_body(api, path):
    head, get = api.head(path), api.get(path)
    assert head.status_code == get.status_code
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]


def test_head_ends_where_a_stream_of_events_would_begin(api, rows):
    answer = api.head(f"/v1/jobs/{rows.job()}/events", headers={"accept": "text/event-stream"})
    assert (answer.status_code, answer.content) == (200, b"")


def test_head_needs_a_key_as_get_does(api, make_key):
    make_key()
    assert api.head("/v1/jobs").status_code == 401


def test_head_of_what_is_only_posted_to_is_refused(api):
    assert api.head("/predict").status_code == 405
