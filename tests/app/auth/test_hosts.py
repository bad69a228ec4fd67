"""Names that a service without keys answers to, and pages that may call it."""

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from tests.app.colour_engine import ColourEngine

JOBS = "/v1/jobs"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "10.0.0.1",
        "127.0.0.1.nip.io",
        "[::2]",
        "[",
        "a b",
    ],
)
def test_names_that_lead_here_by_rebinding_are_refused(api, refused, host):
    refused(api.get(JOBS, headers={"Host": host}), 421, "host_not_allowed")


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "LOCALHOST.", "app.localhost", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000", ""],
)
def test_loopback_names_are_answered(api, host):
    assert api.get(JOBS, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://10.0.0.1", "file://", "http://["])
def test_pages_of_other_sites_are_refused(api, refused, origin, picture):
    answer = api.post("/v1/datasets", files={"files": ("a.png", picture())}, headers={"Origin": origin})
    refused(answer, 403, "origin_not_allowed")
    assert api.get("/v1/datasets").json()["data"] == []


def test_pages_of_this_machine_are_answered(api):
    for origin in ("http://localhost:3000", "http://127.0.0.1:8000", "http://[::1]"):
        assert api.get(JOBS, headers={"Origin": origin}).status_code == 200


def test_the_operator_may_allow_names(settings, refused):
    allowed = settings.model_validate({**settings.model_dump(), "allowed_hosts": "Pouf.lan, testserver"})
    with TestClient(create_app(allowed, ColourEngine)) as api:
        assert api.get(JOBS, headers={"Host": "pouf.lan:80", "Origin": "http://POUF.lan"}).status_code == 200
        refused(api.get(JOBS, headers={"Host": "other.lan"}), 421, "host_not_allowed")


def test_with_keys_the_key_decides(api, make_key):
    headers = {"Authorization": f"Bearer {make_key()}", "Host": "api.example.com", "Origin": "https://example.com"}
    assert api.get(JOBS, headers=headers).status_code == 200
