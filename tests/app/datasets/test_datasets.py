import hashlib
import io
import zipfile

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.datasets import service
from app.main import create_app
from store.feature_files import owner_directory
from store.tables import Dataset, DatasetItem, OutboxMessage, Upload


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


def create(api, files=(), **fields):
    return api.post("/v1/datasets", data=fields, files=[("files", file) for file in files])


def test_uploaded_files_are_stored_by_content_and_ingestion_is_requested(api, database, storage, picture):
    red, blue = picture("red"), picture("blue")
    response = create(api, [("cat/1.png", red), ("dog/2.png", blue)], name="pets", metadata='{"team": "a"}')
    assert response.status_code == 202
    dataset = response.json()
    assert response.headers["location"] == f"/v1/datasets/{dataset['id']}"
    assert dataset["id"].startswith("ds_")
    assert (dataset["status"], dataset["name"], dataset["metadata"]) == ("ingesting", "pets", {"team": "a"})
    assert (dataset["upload_count"], dataset["upload_bytes"]) == (2, len(red) + len(blue))
    with database.read() as session:
        uploads = session.query(Upload).order_by(Upload.position).all()
        (message,) = session.query(OutboxMessage).all()
    assert [(u.position, u.filename, u.sha256) for u in uploads] == [
        (1, "cat/1.png", hashlib.sha256(red).hexdigest()),
        (2, "dog/2.png", hashlib.sha256(blue).hexdigest()),
    ]
    assert [storage.local(u.storage_key).read_bytes() for u in uploads] == [red, blue]
    assert (message.task, message.queue, message.payload) == ("pouf.ingest", "ingest", {"dataset_id": dataset["id"]})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/abs/x.png", "abs/x.png"),
        ("a\\b.png", "a/b.png"),
        ("ü ñ.png", "ü ñ.png"),
        ("..", "unnamed-1"),
    ],
)
def test_file_names_cannot_leave_the_dataset(api, given, kept):
    dataset = create(api, [(given, b"x")]).json()
    assert api.get(f"/v1/datasets/{dataset['id']}/files").json()["data"][0]["filename"] == kept


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


class TestFilledInSteps:
    @pytest.fixture
    def dataset_id(self, api):
        response = create(api, finalize="false")
        assert response.status_code == 202
        assert (response.json()["status"], response.json()["upload_count"]) == ("uploading", 0)
        return response.json()["id"]

    def test_files_are_added_and_a_file_sent_again_is_the_same_file(self, api, dataset_id, storage):
        for _ in range(2):
            files = [("files", ("a.png", b"a")), ("files", ("b.png", b"b"))]
            response = api.post(f"/v1/datasets/{dataset_id}/files", files=files)
            assert (response.status_code, response.json()["upload_count"]) == (200, 2)
        response = api.post(f"/v1/datasets/{dataset_id}/files", files=[("files", ("c.png", b"a"))])
        assert response.json()["upload_count"] == 3
        listed = api.get(f"/v1/datasets/{dataset_id}/files").json()["data"]
        assert [file["filename"] for file in listed] == ["a.png", "b.png", "c.png"]
        assert listed[0]["sha256"] == listed[2]["sha256"]

    def test_an_archive_is_streamed_and_recognised(self, api, dataset_id):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("a.png", b"x" * 3_000_000)
        for _ in range(2):
            response = api.put(f"/v1/datasets/{dataset_id}/archive", content=buffer.getvalue())
            assert (response.status_code, response.json()["upload_count"]) == (200, 1)
            assert response.json()["upload_bytes"] == len(buffer.getvalue())
        (file,) = api.get(f"/v1/datasets/{dataset_id}/files").json()["data"]
        assert (file["filename"], file["sha256"]) == ("archive.zip", hashlib.sha256(buffer.getvalue()).hexdigest())

    def test_an_archive_may_be_named(self, api, dataset_id):
        response = api.put(f"/v1/datasets/{dataset_id}/archive?filename=mine.tar.gz", content=b"\x1f\x8b" + b"x" * 100)
        assert response.status_code == 200
        assert api.get(f"/v1/datasets/{dataset_id}/files").json()["data"][0]["filename"] == "mine.tar.gz"

    @pytest.mark.parametrize("content", [b"", b"not an archive"])
    def test_a_body_that_is_no_archive_is_refused(self, api, dataset_id, refused, content):
        refused(api.put(f"/v1/datasets/{dataset_id}/archive", content=content), 422, "unknown_archive")
        assert api.get(f"/v1/datasets/{dataset_id}").json()["upload_count"] == 0

    def test_fields_are_refused_where_only_files_go(self, api, dataset_id, refused):
        response = api.post(f"/v1/datasets/{dataset_id}/files", data={"name": "x"}, files={"files": ("a", b"a")})
        refused(response, 422, "unknown_field", "/name")

    def test_adding_nothing_is_refused(self, api, dataset_id, refused):
        refused(api.post(f"/v1/datasets/{dataset_id}/files"), 422, "no_files", "/files")

    def test_finalizing_starts_ingestion_once(self, api, dataset_id, database):
        api.post(f"/v1/datasets/{dataset_id}/files", files=[("files", ("a.png", b"a"))])
        for _ in range(2):
            response = api.post(f"/v1/datasets/{dataset_id}/finalize")
            assert (response.status_code, response.json()["status"]) == (202, "ingesting")
        with database.read() as session:
            assert session.query(OutboxMessage).count() == 1

    def test_finalizing_an_empty_dataset_is_refused(self, api, dataset_id, refused):
        refused(api.post(f"/v1/datasets/{dataset_id}/finalize"), 422, "no_files")
        assert api.get(f"/v1/datasets/{dataset_id}").json()["status"] == "uploading"


@pytest.mark.parametrize("status", ["ingesting", "ready", "failed"])
def test_a_finalized_dataset_never_changes(api, rows, refused, status):
    dataset_id = rows.dataset(status)
    for response in (
        api.post(f"/v1/datasets/{dataset_id}/files", files=[("files", ("a.png", b"a"))]),
        api.put(f"/v1/datasets/{dataset_id}/archive", content=b"PK\x03\x04"),
    ):
        refused(response, 409, "dataset_not_uploading")
        assert response.headers["x-should-retry"] == "false"
    assert api.post(f"/v1/datasets/{dataset_id}/finalize").json()["status"] == status


def test_an_ingested_dataset_lists_its_items(api, rows, database):
    dataset_id = rows.dataset(item_count=1, rejected_count=2, fingerprint="f", suggested_class_names=["a"])
    with database.write() as session:
        for number, status in enumerate(["accepted", "rejected", "rejected"]):
            session.add(
                DatasetItem(
                    dataset_id=dataset_id, name=f"{number}.png", status=status, label="cat", text="So good", size=1
                )
            )
    document = api.get(f"/v1/datasets/{dataset_id}").json()
    assert (document["item_count"], document["rejected_count"], document["suggested_class_names"]) == (1, 2, ["a"])
    rejected = api.get(f"/v1/datasets/{dataset_id}/items?status=rejected").json()["data"]
    assert [item["name"] for item in rejected] == ["1.png", "2.png"]
    assert set(rejected[0]) >= {"name", "sha256", "status", "code", "message"}
    (accepted,) = api.get(f"/v1/datasets/{dataset_id}/items?status=accepted").json()["data"]
    assert (accepted["text"], accepted["text_pair"], accepted["label"]) == ("So good", None, "cat")


def test_columns_of_a_table_are_kept_for_ingestion(api, database):
    document = create(api, [("a.csv", b"body,kind\nx y,z\n")], text_column="body", label_column="kind").json()
    assert (document["text_column"], document["label_column"]) == ("body", "kind")
    with database.read() as session:
        dataset = session.get_one(Dataset, document["id"])
        assert (dataset.text_column, dataset.label_column) == ("body", "kind")


def test_what_is_said_of_files_of_texts_is_kept_for_ingestion(api, database):
    said = {"encoding": "windows-1252", "delimiter": "\\t", "header": "false"}
    document = create(api, [("a.csv", b"x y\tz\n")], **said).json()
    options = {"encoding": "windows-1252", "delimiter": "\t", "header": False}
    assert {name: document[name] for name in options} == options
    assert document["readings"] == []
    with database.read() as session:
        assert session.get_one(Dataset, document["id"]).text_options == options


def test_where_labels_may_come_from_is_kept_for_ingestion_and_shown(api, database):
    dataset = create(api, [("a.csv", b"text,label\na,b\n")], labels="none").json()
    with database.read() as session:
        assert session.get(Dataset, dataset["id"]).labels == "none"
    assert (dataset["labels"], dataset["label_source"]) == ("none", None)
    assert create(api, [("b.csv", b"text\na\n")]).json()["labels"] == "auto"


def test_a_failed_dataset_has_its_error(api, rows):
    dataset_id = rows.dataset("failed", error_code="no_usable_items", error_message="None could be read.")
    error = api.get(f"/v1/datasets/{dataset_id}").json()["error"]
    assert error == {"code": "no_usable_items", "message": "None could be read.", "errors": []}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/items"),
        ("GET", "/files"),
        ("POST", "/finalize"),
        ("PUT", "/archive"),
        ("POST", "/files"),
    ],
)
def test_an_unknown_or_foreign_dataset_is_not_found(api, rows, refused, method, path):
    for dataset_id in ("ds_unknown", rows.dataset("uploading", owner="somebody else")):
        refused(api.request(method, f"/v1/datasets/{dataset_id}{path}"), 404, "dataset_not_found")


def test_a_deleted_dataset_is_gone_with_its_files(api, storage, refused):
    dataset_id = create(api, [("a.png", b"a")]).json()["id"]
    assert api.delete(f"/v1/datasets/{dataset_id}").status_code == 204
    refused(api.get(f"/v1/datasets/{dataset_id}"), 404, "dataset_not_found")
    refused(api.delete(f"/v1/datasets/{dataset_id}"), 404, "dataset_not_found")
    assert api.get("/v1/datasets").json()["data"] == []
    assert not storage.exists(f"datasets/{dataset_id}")


def test_a_dataset_is_deleted_though_the_database_goes_away_before_its_items_have(api, rows, database, monkeypatch):
    def items(dataset_id: str) -> int:
        with database.read() as session:
            return len(session.scalars(select(DatasetItem.id).where(DatasetItem.dataset_id == dataset_id)).all())

    def away(*_: object) -> None:
        raise OperationalError("DELETE", {}, Exception("database is locked"))

    whole, interrupted = rows.dataset(), rows.dataset()
    for dataset_id in (whole, interrupted):
        rows.picture(dataset_id, b"a")
    assert api.delete(f"/v1/datasets/{whole}").status_code == 204
    monkeypatch.setattr(service, "forget_rows", away)
    assert api.delete(f"/v1/datasets/{interrupted}").status_code == 204
    assert (items(whole), items(interrupted)) == (0, 1)
    assert api.get(f"/v1/datasets/{interrupted}").status_code == 404


def test_what_jobs_kept_of_an_owners_items_goes_with_a_dataset(api, rows, settings):
    kept = {owner: owner_directory(settings.feature_dir, owner) for owner in ("local", "another")}
    for directory in kept.values():
        directory.mkdir(parents=True)
    assert api.delete(f"/v1/datasets/{rows.dataset()}").status_code == 204
    assert {owner: directory.exists() for owner, directory in kept.items()} == {"local": False, "another": True}


@pytest.mark.parametrize("path", [(), ("running",), ("running", "pausing"), ("paused",), ("running", "cancelling")])
def test_a_dataset_that_an_unfinished_job_needs_cannot_be_deleted(api, rows, refused, path):
    dataset_id = rows.dataset()
    rows.job(*path, dataset_id=dataset_id)
    refused(api.delete(f"/v1/datasets/{dataset_id}"), 409, "dataset_in_use")
    assert api.get(f"/v1/datasets/{dataset_id}").status_code == 200


def test_a_dataset_of_finished_jobs_can_be_deleted(api, rows):
    dataset_id = rows.dataset()
    job_id = rows.job("running", "succeeded", dataset_id=dataset_id)
    assert api.delete(f"/v1/datasets/{dataset_id}").status_code == 204
    assert api.get(f"/v1/jobs/{job_id}").status_code == 200
