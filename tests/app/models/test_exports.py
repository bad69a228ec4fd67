"""Exports over HTTP: made once, kept for a while, gone with the model."""

import io
import json
import threading
import zipfile
from datetime import timedelta

import pytest

import pouf_core
from pouf_core.data.asked_process import Unanswered
from pouf_core.errors import PoufError
from store import usage
from store.clock import utcnow
from store.retention import prune
from store.scope import Scope
from store.storage_keys import exports_key
from tests.pouf_core.embeddings import clusters
from tests.waiting import WAIT_SECONDS, wait_for


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    """A model of embeddings."""
    data = clusters(count=40, classes=3)
    return pouf_core.adapt_features(data.features, data.class_features, out=tmp_path_factory.mktemp("m") / "a").path


@pytest.fixture
def model_id(rows, storage, artifact):
    made = rows.model(base_model="features", prompt_template=None)
    storage.put_directory(f"models/{made}", artifact)
    return made


@pytest.fixture
def instant(monkeypatch):
    """Exports whose writing takes no process; what they were made of, in order."""
    tasks = []

    def write(task):
        tasks.append(task)
        task.target.mkdir()
        (task.target / "README.md").write_text(task.options.format)

    monkeypatch.setattr("app.serving.exports.export_apart", write)
    return tasks


WAIT = {"Prefer": "wait=30"}


def test_an_export_is_made_by_a_process_and_is_gone_with_its_model(api, model_id, storage):
    first = api.get(f"/v1/models/{model_id}/artifact?as=numpy")
    assert first.status_code == 202
    assert first.headers["retry-after"]
    assert (first.json()["status"], first.json()["format"], first.json()["variant"]) == ("running", "numpy", "adapted")
    answer = first
    while answer.status_code == 202:
        answer = api.get(first.json()["urls"]["self"], headers=WAIT)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert f"{model_id}-numpy.zip" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["README.md", "classifier.npz", "example.py"]
    assert api.delete(f"/v1/models/{model_id}").status_code == 204
    assert not storage.exists(exports_key(model_id))


def test_an_export_is_made_once_and_again_when_the_model_is_judged_anew(api, model_id, database, instant):
    url = f"/v1/models/{model_id}/artifact?as=numpy"
    assert api.get(url, headers=WAIT).content == api.get(url).content
    assert [task.options.variant for task in instant] == ["adapted"]
    with database.write() as session:
        from store.tables import AdaptedModel

        session.get_one(AdaptedModel, model_id).audited_threshold = 0.75
    assert api.get(url, headers=WAIT).status_code == 200
    assert [task.options.threshold for task in instant] == [None, 0.75]


@pytest.mark.parametrize(("query", "code"), [("as=onnx", "export_not_supported"), ("as=tiff", "invalid_value")])
def test_what_cannot_be_exported_is_refused(api, model_id, refused, query, code):
    assert "numpy" in refused(api.get(f"/v1/models/{model_id}/artifact?{query}"), 422, code, "/query/as")["detail"]


def test_a_failure_is_told_once_and_the_next_one_tries_again(api, model_id, refused, monkeypatch):
    failures = [PoufError("export_failed", "No room."), PoufError("export_differs", "By far.")]
    monkeypatch.setattr("app.serving.exports.export_apart", lambda task: (_ for _ in ()).throw(failures.pop(0)))
    url = f"/v1/models/{model_id}/artifact?as=numpy"
    refused(api.get(url, headers=WAIT), 500, "export_failed")
    refused(api.get(url, headers=WAIT), 500, "export_differs")


def test_an_export_for_which_there_is_no_space_says_so(api, model_id, refused, monkeypatch):
    def fail(*_, **__):
        raise Unanswered(1, "Traceback …\nOSError: [Errno 28] No space left on device")

    monkeypatch.setattr("pouf_core.exports.exporting.ask", fail)
    refused(api.get(f"/v1/models/{model_id}/artifact?as=numpy", headers=WAIT), 507, "storage_full")


def test_an_artifact_that_is_gone_is_said_to_be(api, model_id, storage, refused):
    exports, busy = api.app.state.pouf.exports, threading.Event()
    exports._threads.submit("another", lambda: busy.wait(WAIT_SECONDS))
    url = f"/v1/models/{model_id}/artifact?as=numpy"
    assert api.get(url).status_code == 202
    storage.delete(f"models/{model_id}")
    busy.set()
    refused(api.get(url, headers=WAIT), 500, "artifact_missing")


def test_an_owner_has_so_many_exports_made_at_a_time(api, model_id, refused, monkeypatch):
    go_on = threading.Event()

    def write(task):
        go_on.wait(WAIT_SECONDS)
        task.target.mkdir()
        (task.target / "README.md").write_text("Made.")

    monkeypatch.setattr("app.serving.exports.export_apart", write)
    monkeypatch.setattr("app.serving.exports.MOST_WAITING", 2)
    url = f"/v1/models/{model_id}/artifact?as=numpy"
    assert api.get(url).status_code == 202
    refusal = api.get(f"{url}&variant=zero_shot")
    refused(refusal, 429, "owner_overloaded")
    assert int(refusal.headers["retry-after"]) > 0
    assert api.get(url).status_code == 202, "who waits for one that is being made takes no place"
    go_on.set()
    assert api.get(url, headers=WAIT).status_code == 200
    # the file is there a moment before its maker has put its tools away
    wait_for(lambda: api.get(f"{url}&variant=zero_shot", headers=WAIT).status_code == 200)


def test_exports_count_among_what_an_owner_stores(api, model_id, database, settings, storage, instant):
    def stored():
        with database.read() as session:
            return usage.stored_bytes(Scope(session, "local"))

    before = stored()
    assert api.get(f"/v1/models/{model_id}/artifact?as=numpy", headers=WAIT).status_code == 200
    assert stored() == before + len("numpy")
    prune(database, storage, settings, utcnow() + timedelta(days=settings.keep_exports_days + 1))
    assert stored() == before


def test_a_variant_without_a_format_is_refused(api, model_id, refused):
    refused(api.get(f"/v1/models/{model_id}/artifact?variant=zero_shot"), 422, "export_format_missing", "/query/as")


def test_missing_packages_are_named(api, rows, storage, refused, monkeypatch):
    model_id = rows.model()
    manifest = json.dumps({"base_model": {"name": "pouf-lite"}})
    storage.put_stream(f"models/{model_id}/pouf.json", [manifest.encode()])
    monkeypatch.setattr("pouf_core.exports.formats.find_spec", lambda _: None)
    problem = refused(api.get(f"/v1/models/{model_id}/artifact?as=onnx"), 501, "export_unavailable")
    assert "pouf-service[onnx]" in problem["detail"]


def test_exports_of_foreign_models_are_not_found(api, rows, refused):
    refused(api.get(f"/v1/models/{rows.model(owner='bob')}/artifact?as=numpy"), 404, "model_not_found")
