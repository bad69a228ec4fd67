import hashlib
import io
import zipfile

import pytest

from store.tables import Dataset, DatasetItem, OutboxMessage, Upload
from tests.app.datasets.uploading import create


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


def test_datasets_that_a_newer_version_ingested_are_shown(api, add_dataset):
    new = {"of_a_newer_version": True}
    file = {"file": "labels.csv", "format": "table", "rows": 1, "unmatched": 0}
    reading = {"file": "a.csv", "rows": 1, "first_rows": [{"text": "one", **new}], **new}
    group = {"code": "empty_text", "count": 1, "example_name": "a", "message": "It is empty.", **new}
    dataset_id = add_dataset(
        {},
        status="failed",
        modality="text",
        error_code="table_ambiguous",
        error_message="Which column?",
        text_options={"encoding": "utf-8", **new},
        label_source={"kind": "file", "files": [file | new], **new},
        readings=[reading],
        rejections=[group],
        skipped={"sidecar": 2, "of_a_newer_version": 1},
        candidates=[{"column": 0, "heading": "a", "examples": ["one"], **new}],
    )
    shown, (listed,) = api.get(f"/v1/datasets/{dataset_id}").json(), api.get("/v1/datasets").json()["data"]
    for document in (shown, listed):
        assert (document["status"], document["encoding"], document["skipped"]) == ("failed", "utf-8", {"sidecar": 2})
        assert "of_a_newer_version" not in str(document)
