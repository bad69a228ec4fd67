"""Uploads that are refused leave nothing."""

import pytest

from app.main import create_app
from store.tables import Dataset, OutboxMessage, Upload
from tests.app.datasets.uploading import create


def contents(database, storage_dir):
    """Rows and files there are, to show that a refused request left nothing."""
    with database.read() as session:
        counts = [session.query(table).count() for table in (Dataset, Upload, OutboxMessage)]
    return counts, [path for path in storage_dir.rglob("*") if path.is_file()]


@pytest.fixture
def nothing_left(database, settings):
    def check():
        assert contents(database, settings.data_dir / "storage") == ([0, 0, 0], [])
        staging = settings.data_dir / "staging"
        assert not staging.exists() or not list(staging.iterdir())

    return check


@pytest.mark.parametrize("fields", [{}, {"name": "empty"}])
def test_no_files_are_refused_and_nothing_is_created(api, refused, nothing_left, fields):
    refused(create(api, **fields), 422, "no_files", "/files")
    nothing_left()


@pytest.mark.parametrize("field", ["bogus", "Name", "status"])
def test_unknown_fields_are_refused_and_nothing_is_created(api, refused, nothing_left, field):
    refused(create(api, [("a.png", b"x")], **{field: "x"}), 422, "unknown_field", f"/{field}")
    nothing_left()


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"modality": "audio"}, "invalid_value", "/modality"),
        ({"finalize": "perhaps"}, "invalid_type", "/finalize"),
        ({"name": "x" * 201}, "invalid_value", "/name"),
        ({"text_column": "x" * 256}, "invalid_value", "/text_column"),
        ({"modality": "embedding", "label_column": "kind"}, "invalid_value", "/label_column"),
        ({"modality": "image", "encoding": "utf-8"}, "invalid_value", "/encoding"),
        ({"encoding": "klingon"}, "invalid_value", "/encoding"),
        ({"delimiter": ";;"}, "invalid_value", "/delimiter"),
        ({"delimiter": '"'}, "invalid_value", "/delimiter"),
        ({"header": "perhaps"}, "invalid_type", "/header"),
        ({"metadata": "{"}, "invalid_value", "/metadata"),
        ({"metadata": "[]"}, "invalid_type", "/metadata"),
        ({"metadata": str({f"{i}": "v" for i in range(17)}).replace("'", '"')}, "invalid_value", "/metadata"),
    ],
)
def test_unusable_fields_are_refused_and_nothing_is_created(api, refused, nothing_left, fields, code, pointer):
    refused(create(api, [("a.png", b"x")], **fields), 422, code, pointer)
    nothing_left()


def test_files_in_another_field_are_refused(api, refused, nothing_left):
    refused(api.post("/v1/datasets", files={"pictures": ("a.png", b"x")}), 422, "unknown_field", "/pictures")
    nothing_left()


def test_a_field_given_twice_is_refused(api, refused, nothing_left):
    body = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n' * 2 + b"--b--\r\n"
    response = api.post("/v1/datasets", content=body, headers={"content-type": "multipart/form-data; boundary=b"})
    refused(response, 422, "duplicate_field", "/name")
    nothing_left()


def test_a_text_field_in_place_of_a_file_is_refused(api, refused, nothing_left):
    refused(api.post("/v1/datasets", data={"files": "a"}, files={"files": b"x"}), 422, "missing_filename", "/files")
    nothing_left()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"garbage",
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nhalf a fi',
        b"--b\r\nContent-Disposition: form-data\r\n\r\nnameless\r\n--b--\r\n",
    ],
)
def test_a_broken_multipart_body_is_refused_and_nothing_is_created(api, refused, nothing_left, body):
    response = api.post("/v1/datasets", content=body, headers={"content-type": "multipart/form-data; boundary=b"})
    refused(response, 400, "malformed_multipart")
    nothing_left()


def test_multipart_without_a_boundary_is_refused(api, refused):
    response = api.post("/v1/datasets", content=b"x", headers={"content-type": "multipart/form-data"})
    refused(response, 400, "malformed_multipart")


def test_another_content_type_is_refused(api, refused):
    refused(api.post("/v1/datasets", json={"name": "x"}), 415, "unsupported_media_type")


def test_too_many_files_point_at_archives(settings, refused, picture):
    with_limit = settings.model_copy(update={"max_form_files": 3})
    from fastapi.testclient import TestClient

    with TestClient(create_app(with_limit)) as api:
        problem = refused(create(api, [(f"{i}.png", b"x") for i in range(4)]), 413, "too_many_files")
    assert ".zip" in problem["detail"]


def test_1000_files_fit_in_one_form(api):
    dataset = create(api, [(f"{i}.png", str(i).encode()) for i in range(1000)]).json()
    assert dataset["upload_count"] == 1000


@pytest.mark.parametrize("announced", [True, False])
def test_too_large_a_body_is_refused(settings, refused, nothing_left, announced):
    from fastapi.testclient import TestClient

    with TestClient(create_app(settings.model_copy(update={"max_upload_bytes": 100_000}))) as api:
        body = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n' + b"x" * 200_000
        headers = {"content-type": "multipart/form-data; boundary=b"}
        content = body if announced else iter([body[:90_000], body[90_000:]])
        refused(api.post("/v1/datasets", content=content, headers=headers), 413, "body_too_large")
    nothing_left()


def test_a_text_field_has_a_bound(api, refused, nothing_left):
    refused(create(api, [("a", b"x")], name="x" * 300_000), 413, "field_too_large")
    nothing_left()
