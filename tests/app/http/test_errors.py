import errno
import gzip
import tempfile

import pytest
from sqlalchemy.exc import OperationalError


def test_an_unknown_path_is_a_problem_document(api, refused):
    problem = refused(api.get("/v1/nothing"), 404, "not_found")
    assert problem["instance"] == "/v1/nothing"
    assert problem["type"] == "urn:pouf:error:not_found"
    assert problem["title"] == "Not Found"


def test_a_wrong_method_is_a_problem_document(api, refused):
    for path, methods in {
        "/v1/jobs": "GET, HEAD, POST",
        "/v1/aliases/a": "DELETE, GET, HEAD, PUT",
        "/v1/models": "GET, HEAD",
    }.items():
        response = api.patch(path)
        refused(response, 405, "method_not_allowed")
        assert response.headers["allow"] == methods


@pytest.mark.parametrize(
    ("query", "code", "pointer"),
    [
        ("limit=0", "invalid_value", "/query/limit"),
        ("limit=101", "invalid_value", "/query/limit"),
        ("limit=x", "invalid_type", "/query/limit"),
        ("status=great", "invalid_value", "/query/status"),
        ("created_after=yesterday", "invalid_type", "/query/created_after"),
        ("created_after=1767225600", "invalid_value", "/query/created_after"),
        ("created_before=0.0", "invalid_value", "/query/created_before"),
        ("created_before=9999-12-31T23:59:59-14:00", "invalid_value", "/query/created_before"),
        ("created_after=0001-01-01T00:00:00%2B14:00", "invalid_value", "/query/created_after"),
        ("cursor=%%", "invalid_cursor", "/query/cursor"),
        ("colour=red", "unknown_field", "/query/colour"),
        ("limit=1&limit=2", "duplicate_field", "/query/limit"),
    ],
)
def test_query_parameters_that_cannot_be_used_are_named(api, refused, query, code, pointer):
    refused(api.get(f"/v1/jobs?{query}"), 422, code, pointer)


@pytest.mark.parametrize("route", ["/v1/keys", "/v1/webhooks"])
def test_a_field_that_is_given_twice_is_refused_by_every_route(api, refused, route):
    content = b'{"name": "a", "name": "b"}'
    refused(api.post(route, content=content, headers={"Content-Type": "application/json"}), 422, "duplicate_field", "")


@pytest.mark.parametrize("cursor", ["x", "LTE", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA", "ü"])
def test_cursors_that_were_never_given_out_are_refused(api, rows, refused, cursor):
    response = api.get(f"/v1/jobs/{rows.job()}/events", params={"cursor": cursor})
    refused(response, 422, "invalid_cursor")


def test_every_answer_carries_the_request_id(api):
    assert api.get("/health/live").headers["x-request-id"].startswith("req_")
    given = api.get("/v1/nothing", headers={"x-request-id": "mine-1"})
    assert given.headers["x-request-id"] == given.json()["request_id"] == "mine-1"
    odd = api.get("/v1/nothing", headers={"x-request-id": "a b\tc"})
    assert odd.headers["x-request-id"].startswith("req_")


def test_an_unexpected_error_is_a_problem_document_without_details(api, application, refused, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(application.state.pouf.database, "read", broken)
    problem = refused(api.get("/v1/jobs"), 500, "internal_error")
    assert "secret" not in str(problem)
    assert "secret detail" in caplog.text
    assert problem["request_id"] in caplog.text


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (OSError(errno.ENOSPC, "full"), 507, "storage_full"),
        (OperationalError("INSERT", {}, Exception("database or disk is full")), 507, "storage_full"),
        (OperationalError("SELECT", {}, Exception("gone")), 503, "database_unavailable"),
        (OSError(errno.EMFILE, "open files"), 503, "machine_unavailable"),
        (PermissionError(errno.EACCES, "Permission denied", "/data/staging"), 503, "machine_unavailable"),
        (MemoryError(), 503, "machine_unavailable"),
    ],
)
def test_a_full_disk_and_a_database_without_an_answer_have_codes_of_their_own(
    api, application, refused, monkeypatch, failure, status, code
):
    def broken(*_):
        raise failure

    monkeypatch.setattr(application.state.pouf.database, "write", broken)
    refused(api.post("/v1/datasets", files={"files": ("a.png", b"a")}), status, code)
    assert not list((application.state.pouf.settings.data_dir / "storage").rglob("*.png"))


def test_what_keeps_a_form_from_being_received_is_told(api, rows, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    answer = api.post(f"/models/{rows.model()}/try", files={"picture": ("a.png", bytes(2_000_000))})
    assert answer.status_code == 503
    assert "no directory for temporary files" in answer.text


@pytest.mark.parametrize(
    "path", ["/v1/jobs/%00", "/v1/datasets/a%00b", "/v1/models/%ED%A0%80", "/v1/models/ü/artifact"]
)
def test_ids_with_characters_that_no_database_stores_are_not_found(api, path):
    response = api.get(path)
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")


JSON, FORM = "application/json", "multipart/form-data"
BODIES = [
    ("POST", "/v1/jobs", JSON),
    ("POST", "/v1/batch-predictions", JSON),
    ("POST", "/v1/webhooks", JSON),
    ("PUT", "/v1/aliases/latest", JSON),
    ("PATCH", "/v1/models/latest", JSON),
    ("POST", "/v1/jobs/job_1/audits", JSON),
    ("POST", "/v1/jobs/job_1/audits/aud_1/confirm", JSON),
    ("PUT", "/v1/jobs/job_1/audits/aud_1/answers", JSON),
    ("POST", "/predict", JSON),
    ("POST", "/v1/datasets", FORM),
]


def test_a_body_of_another_kind_is_answered_by_the_headers_name(api, refused):
    for method, path, wanted in BODIES:
        kind = "application/x-www-form-urlencoded" if wanted == JSON else JSON  # the first as curl -d sends it
        response = api.request(method, path, content=b'{"class_names": ["a"]}', headers={"content-type": kind})
        problem = refused(response, 415, "unsupported_media_type", "/header/Content-Type")
        assert f"`Content-Type: {wanted}" in problem["detail"]
        assert kind in problem["detail"]


def test_a_body_packed_for_the_way_is_refused_by_the_headers_name(api, refused):
    packed, headers = gzip.compress(b"{}"), {"content-type": JSON, "content-encoding": "gzip"}
    response = api.post("/v1/jobs", content=packed, headers=headers)
    problem = refused(response, 415, "unsupported_media_type", "/header/Content-Encoding")
    assert "`Content-Encoding: gzip`" in problem["detail"]
    assert response.headers["accept-encoding"] == "identity"
    plain = api.post("/v1/jobs", content=b"{}", headers={**headers, "content-encoding": "identity"})
    refused(plain, 422, "missing_field")


def test_the_openapi_document_describes_every_route(api):
    document = api.get("/openapi.json").json()
    for path in ("/v1/datasets", "/v1/jobs", "/v1/jobs/{job_id}/events", "/v1/models/{model_id}/predict", "/predict"):
        assert path in document["paths"]
    refusals = document["paths"]["/v1/jobs"]["post"]["responses"]
    for status in ("401", "403", "409", "413", "422", "429", "503"):
        assert "application/problem+json" in refusals[status]["content"]
    assert "4XX" not in refusals
    assert api.get("/docs").status_code == 200
