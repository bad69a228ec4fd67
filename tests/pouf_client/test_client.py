import base64
import json
import zipfile
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

import pytest

from pouf_client import (
    ClientError,
    DamagedDownload,
    InvalidInput,
    JobFailed,
    predicting,
)
from tests.pouf_client.conftest import Answer, answer, problem


def test_a_list_is_read_page_after_page(client, server):
    row = {"status": "ready"}
    server.answers = [
        answer({"data": [{"id": "ds_1", **row}], "has_more": True, "next_cursor": "c2"}),
        answer({"data": [{"id": "ds_2", **row}], "has_more": False, "next_cursor": None}),
    ]
    assert [dataset.id for dataset in client.datasets.list(status="ready")] == ["ds_1", "ds_2"]
    queries = [parse_qs(urlsplit(request.path).query) for request in server.requests]
    first = {"limit": ["100"], "status": ["ready"]}
    assert queries == [first, {**first, "cursor": ["c2"]}]


def test_an_upload_says_how_many_bytes_were_sent(client, server, tmp_path):
    (tmp_path / "a.zip").write_bytes(bytes(100_000))
    server.answers = [problem(503, "busy"), answer({"id": "ds_1", "status": "ingesting"})]
    told = []
    client.datasets.create(tmp_path / "a.zip", on_upload=lambda sent, size: told.append((sent, size)))
    assert told == 2 * [(65_536, 100_000), (100_000, 100_000)]


def test_a_dry_run_sends_the_files_and_how_to_read_them(client, server, tmp_path):
    counts = dict.fromkeys(("item_count", "duplicate_count", "rejected_count", "labelled_count"), 1)
    lists = {name: [] for name in ("suggested_class_names", "rejections", "warnings", "items")}
    server.answers = [answer({"complete": True, "modality": "text", **counts, **lists, "readings": []})]
    (tmp_path / "a.csv").write_text("a;b\n")
    sample = client.datasets.dry_run(tmp_path / "a.csv", delimiter=";", header=False, text_column=None)
    assert (sample.complete, sample.modality, sample.raw["readings"]) == (True, "text", [])
    (request,) = server.requests
    assert request.path == "/v1/datasets?dry_run=true"
    assert b'name="header"\r\n\r\nfalse' in request.body
    assert b"text_column" not in request.body


def test_a_thumbnail_comes_as_its_bytes(client, server):
    server.answers = [Answer(200, b"\xff\xd8 a JPEG", {"Content-Type": "image/jpeg"})]
    assert client.datasets.thumbnail("ds_1", "0a") == b"\xff\xd8 a JPEG"
    assert server.requests[0].path == "/v1/datasets/ds_1/items/0a/thumbnail"


def test_waiting_for_a_dataset_that_fails_raises_its_reason(client, server):
    server.answers = [answer({"id": "ds_1", "status": "failed", "error": {"code": "no_pictures", "message": "None."}})]
    with pytest.raises(ClientError, match=r"None. \(no_pictures\)"):
        client.datasets.wait("ds_1")


def test_waiting_for_a_dataset_ends_at_its_timeout(client, server):
    server.answers = [answer({"id": "ds_1", "status": "ingesting"})]
    with pytest.raises(ClientError, match="still ingesting"):
        client.datasets.wait("ds_1", timeout=0)


def test_predictions_come_back_in_order_with_single_failures(client, server, tmp_path):
    (tmp_path / "a.png").write_bytes(b"a picture")
    predictions = [
        {"index": 0, "label": "bird", "class_index": 0, "score": 0.9, "top_k": [{"label": "bird", "score": 0.9}]},
        {"index": 1, "error": {"code": "undecodable_image", "message": "No picture."}},
    ]
    document = {"model_id": "mdl_1", "requested_variant": "adapted", "served_variant": "zero_shot"}
    server.answers = [answer({**document, "predictions": predictions})]
    result = client.predict([tmp_path / "a.png", b"noise"], "latest", top_k=1)
    sent = json.loads(server.requests[0].body)
    assert [base64.b64decode(item["image"]) for item in sent["inputs"]] == [b"a picture", b"noise"]
    assert (sent["model"], "variant" in sent) == ("latest", False)
    assert result.items[0].top_k == [("bird", 0.9)]
    assert (result.items[1].label, result.items[1].error["code"]) == (None, "undecodable_image")


def test_all_inputs_are_answered_by_one_model_though_its_alias_is_moved(client, server, monkeypatch):
    monkeypatch.setattr(predicting, "MOST_INPUTS", 1)
    document = {"model_id": "mdl_1", "requested_variant": "adapted", "served_variant": "adapted"}
    server.answers = [answer({**document, "predictions": [{"index": 0, "label": "bird"}]})] * 2
    client.predict([b"a", b"b"], "latest")
    assert [json.loads(request.body)["model"] for request in server.requests] == ["latest", "mdl_1"]


def test_a_model_that_cannot_be_unpacked_leaves_nothing_in_the_way(client, server, tmp_path):
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inner/whole.txt", "a")
        archive.writestr("torn.txt", "here is text")
    server.answers = [Answer(200, packed.getvalue().replace(b"here is text", b"here is tear"))] * 2
    for _ in range(2):
        with pytest.raises(DamagedDownload, match="fetch them again"):
            client.models.pull("mdl_1", tmp_path / "model")
        assert list((tmp_path / "model").iterdir()) == []


def test_a_model_is_unpacked(client, server, tmp_path):
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("pouf.json", "{}")
    server.answers = [Answer(200, packed.getvalue())]
    folder = client.models.download("mdl_1", tmp_path / "new" / "model")
    assert (folder / "pouf.json").read_text() == "{}"
    for taken in folder, folder / "pouf.json":
        with pytest.raises(InvalidInput, match="name another folder") as refused:
            client.models.pull("mdl_1", taken)
        assert refused.value.code == "folder_not_empty"
    assert len(server.requests) == 1


def test_an_export_is_waited_for_as_long_as_it_is_being_made(server, client, tmp_path):
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("README.md", "card")
    being_made = Answer(202, b"{}", {"Retry-After": "0"})
    server.answers = [being_made, being_made, Answer(body=packed.getvalue())]
    folder = client.models.pull("best", tmp_path / "export", "numpy", variant="adapted")
    assert (folder / "README.md").read_text() == "card"
    assert {request.path for request in server.requests} == {"/v1/models/best/artifact?as=numpy&variant=adapted"}
    assert len(server.requests) == 3


def batch(status: str, **fields) -> Answer:
    progress = {"step": 1, "total_steps": 4, "fraction": 0.25}
    document = {"id": "bat_1", "status": status, "attempt": 1, "model_id": "mdl_1", "dataset_id": "ds_1"}
    return answer({**document, "item_count": 4, "progress": progress, **fields})


def test_a_dataset_is_predicted_and_waited_for(client, server, tmp_path):
    server.answers = [batch("queued"), batch("running"), batch("succeeded"), Answer(200, b"{}\n")]
    asked = client.batch_predictions.create("best", "ds_1", name="week 48")
    assert json.loads(server.requests[0].body) == {
        "model": "best",
        "dataset_id": "ds_1",
        "name": "week 48",
        "metadata": {},
    }
    assert client.batch_predictions.wait(asked.id).step == 1
    client.batch_predictions.save_predictions(asked.id, tmp_path / "a.jsonl", format="jsonl")
    assert server.requests[-1].path == "/v1/batch-predictions/bat_1/predictions?format=jsonl"


def test_waiting_for_a_batch_prediction_that_fails_raises_its_reason(client, server):
    server.answers = [batch("failed", error={"code": "model_deleted", "message": "It is gone."})]
    with pytest.raises(JobFailed) as failed:
        client.batch_predictions.wait("bat_1")
    assert failed.value.code == "model_deleted"


def test_a_key_that_may_only_predict_is_told_how_to_give_what_may_be_a_path_or_a_text(server, client):
    server.answers = [problem(403, "insufficient_scope")]
    with pytest.raises(InvalidInput, match=r"may not read.*pathlib\.Path") as refused:
        client.predict("a.png", "model_1")
    assert refused.value.code == "modality_unknown"
