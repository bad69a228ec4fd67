"""The page of a model offers its exports, and waits for them."""

import json

import pytest

from app.pages import exports


@pytest.fixture
def model_id(rows, storage):
    made = rows.model()
    manifest = json.dumps({"base_model": {"name": "pouf-lite"}})
    storage.put_stream(f"models/{made}/pouf.json", [manifest.encode()])
    return made


def write(task):
    task.target.mkdir()
    (task.target / "README.md").write_text("card")


def test_a_model_offers_the_forms_that_its_base_model_can_have(api, model_id):
    page = api.get(f"/models/{model_id}").text
    offered = [name for name in ("numpy", "onnx", "open_clip", "huggingface") if f"/export?as={name}" in page]
    assert offered == ["numpy", "onnx", "open_clip"]


def test_an_export_is_downloaded_once_it_is_made(api, model_id, monkeypatch):
    monkeypatch.setattr("app.serving.exports.export_apart", write)
    answer = api.get(f"/models/{model_id}/export?as=numpy")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")


def test_as_long_as_it_is_being_made_the_page_asks_again(api, model_id, monkeypatch):
    monkeypatch.setattr(exports, "_WAIT", "")
    monkeypatch.setattr("app.serving.exports.Exports.make", lambda *_: Unfinished())
    answer = api.get(f"/models/{model_id}/export?as=numpy")
    assert (answer.status_code, answer.headers["refresh"]) == (200, "3")
    assert "being made" in answer.text


class Unfinished:
    """A future that does not end."""

    def done(self):
        return False
