import asyncio
import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.serving.batcher import BatcherStopped, QueueFull
from pouf_core.errors import ArtifactError
from tests.app.colour_engine import ColourEngine, ColourPredictor
from tests.waiting import WAIT_SECONDS, wait_for


def encoded(content):
    return {"image": base64.b64encode(content).decode()}


@pytest.fixture
def model_id(rows):
    return rows.model()


@pytest.fixture
def ask(api, model_id):
    def ask(inputs, **body):
        return api.post(f"/v1/models/{model_id}/predict", json={"inputs": inputs, **body})

    return ask


def test_answers_come_in_input_order(ask, picture, model_id):
    response = ask([encoded(picture(colour)) for colour in ("blue", "red", "lime")], top_k=2)
    assert response.status_code == 200
    document = response.json()
    assert (document["object"], document["model_id"]) == ("prediction_list", model_id)
    assert [document[name] for name in ("variant", "requested_variant", "served_variant")] == ["adapted"] * 3
    assert [(p["index"], p["label"], p["class_index"]) for p in document["predictions"]] == [
        (0, "blue", 2),
        (1, "red", 0),
        (2, "green", 1),
    ]
    first = document["predictions"][0]
    assert [entry["label"] for entry in first["top_k"]][0] == "blue"
    assert len(first["top_k"]) == 2
    assert first["score"] == first["top_k"][0]["score"] > 0.9


def test_forms_give_the_same_answers(api, ask, picture, model_id):
    pictures = [picture("blue"), picture("red")]
    files = [("image", (f"{i}.png", content)) for i, content in enumerate(pictures)]
    form = api.post(f"/v1/models/{model_id}/predict", data={"top_k": "3", "variant": "zero_shot"}, files=files)
    named = [encoded(content) | {"name": f"{i}.png"} for i, content in enumerate(pictures)]
    assert form.json() == ask(named, top_k=3, variant="zero_shot").json()


def test_answers_carry_the_names_of_their_files(api, ask, picture, model_id):
    files = [("image", ("holiday/a.png", picture("blue"))), ("image", ("broken.png", b"x"))]
    answers = api.post(f"/v1/models/{model_id}/predict", files=files).json()["predictions"]
    assert [answer["name"] for answer in answers] == ["holiday/a.png", "broken.png"]
    assert "error" in answers[1]
    assert "name" not in ask([encoded(picture())]).json()["predictions"][0]
    refusal = api.post(f"/v1/models/{model_id}/predict", files=files[1:]).json()
    assert refusal["errors"][0]["message"].startswith("broken.png: ")


def test_a_string_is_a_text(ask, refused):
    refused(ask(["a text", {"text": "another"}]), 422, "wrong_modality", "/inputs/0")


def test_below_the_threshold_an_answer_has_no_label_and_keeps_its_scores(api, ask, model_id, picture):
    pictures = [picture("blue"), picture((140, 130, 120))]
    document = ask([encoded(content) for content in pictures], top_k=2, threshold=0.9).json()
    assert document["threshold"] == 0.9
    sure, unsure = document["predictions"]
    assert (sure["label"], sure["class_index"], sure["none_score"]) == ("blue", 2, 0.5)
    assert (unsure["label"], unsure["class_index"], unsure["none_score"]) == (None, None, 0.9)
    assert unsure["score"] == unsure["top_k"][0]["score"] < 0.9
    files = [("image", (f"{i}.png", content)) for i, content in enumerate(pictures)]
    form = api.post(f"/v1/models/{model_id}/predict", data={"top_k": "2", "threshold": "0.9"}, files=files).json()
    assert [{**each, "name": None} for each in form["predictions"]] == [
        {**each, "name": None} for each in document["predictions"]
    ]
    document = ask([encoded(content) for content in pictures]).json()
    assert document["threshold"] == 0
    assert [prediction["label"] for prediction in document["predictions"]] == ["blue", "red"]


def test_a_threshold_that_was_not_proposed_is_refused(api, ask, model_id, picture, refused):
    refused(ask([encoded(picture())], threshold="auto"), 422, "threshold_not_proposed", "/threshold")
    files = {"image": ("a.png", picture())}
    form = api.post(f"/v1/models/{model_id}/predict", data={"threshold": "auto"}, files=files)
    refused(form, 422, "threshold_not_proposed", "/threshold")


@pytest.mark.parametrize("threshold", [-0.1, 1.5, "high", [0.5]])
def test_a_threshold_is_a_probability(ask, picture, refused, threshold):
    refused(ask([encoded(picture())], threshold=threshold), 422, "invalid_value", "/threshold")


def test_the_model_may_be_named_in_the_body_by_id_or_alias(api, model_id, picture):
    api.put("/v1/aliases/best", json={"model_id": model_id})
    for name in (model_id, "best"):
        as_form = api.post("/predict", data={"model": name}, files={"image": ("a.png", picture())})
        as_json = api.post("/predict", json={"model": name, "inputs": [encoded(picture()) | {"name": "a.png"}]})
        assert as_json.json() == as_form.json()
        assert as_json.json()["model_id"] == model_id
    by_alias = api.post("/v1/models/best/predict", json={"inputs": [encoded(picture())]})
    assert by_alias.json()["model_id"] == model_id


def test_data_urls_and_wrapped_base64_are_pictures_too(ask, picture):
    text = base64.encodebytes(picture("red")).decode()
    predictions = ask([{"image": text}, {"image": f"data:image/png;base64,{text}"}]).json()["predictions"]
    assert [prediction["label"] for prediction in predictions] == ["red", "red"]


@pytest.mark.parametrize(
    ("sent", "advice"),
    [
        ("https://example.com/boat.png", "nothing is fetched from one"),
        ("S3://bucket/boat.png", "nothing is fetched from one"),
        (base64.urlsafe_b64encode(b"\xfb\xff\xfe").decode(), "with +, / and ="),
        (base64.b64encode(b"four").decode().rstrip("="), "with +, / and ="),
        ("bööt", "not valid base64"),
        ("boat.png", "not valid base64"),
        ("boats", "not valid base64"),
    ],
)
def test_what_stands_in_place_of_base64_gets_advice(ask, refused, sent, advice):
    problem = refused(ask([{"image": sent}]), 422, "invalid_base64", "/inputs/0")
    assert advice in problem["detail"]


def test_a_model_that_fell_back_is_served_by_its_baseline_unless_asked_otherwise(api, rows, picture):
    model_id = rows.model(fallback="zero_shot")

    def served(**body):
        body = {"inputs": [encoded(picture("red"))], **body}
        document = api.post(f"/v1/models/{model_id}/predict", json=body).json()
        label = document["predictions"][0]["label"]
        return document["requested_variant"], document["served_variant"], document["variant"], label

    assert served() == ("adapted", "zero_shot", "zero_shot", "blue")
    assert served(variant="adapted") == ("adapted", "adapted", "adapted", "red")
    assert served(variant="zero_shot") == ("zero_shot", "zero_shot", "zero_shot", "blue")


BAD_ITEMS = [
    ({"image": "!!"}, "invalid_base64"),
    ({"image": base64.b64encode(b"no picture").decode()}, "undecodable_image"),
    ({"image": ""}, "empty_input"),
    ({"image": "data:image/png;base64,"}, "empty_file"),
    ({}, "empty_input"),
    ({"text": "hello"}, "wrong_modality"),
    ({"text": "a", "text_pair": "b"}, "wrong_modality"),
]


@pytest.mark.parametrize(("item", "code"), BAD_ITEMS)
def test_one_bad_item_fails_alone(ask, picture, item, code):
    response = ask([encoded(picture("red")), item, encoded(picture("blue"))])
    assert response.status_code == 200
    first, second, third = response.json()["predictions"]
    assert (first["label"], third["label"]) == ("red", "blue")
    assert (second["index"], second["error"]["code"]) == (1, code)
    assert second["error"]["message"]
    assert "label" not in second


@pytest.mark.parametrize(("item", "code"), BAD_ITEMS)
def test_a_request_of_bad_items_alone_is_refused(ask, refused, item, code):
    refused(ask([item, item]), 422, code, "/inputs/1")


def test_each_bad_item_gets_its_own_code(ask, refused):
    problem = refused(ask([{"image": "!!"}, {"text": "x"}]), 422, "invalid_request")
    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [
        ("/inputs/0", "invalid_base64"),
        ("/inputs/1", "wrong_modality"),
    ]


def test_a_picture_that_the_encoder_fails_on_fails_alone(ask, picture):
    pictures = [picture("red"), picture("red", size=(13, 13)), picture("blue")]
    first, second, third = ask([encoded(content) for content in pictures]).json()["predictions"]
    assert (first["label"], third["label"]) == ("red", "blue")
    assert second["error"]["code"] == "encoding_failed"


def test_too_large_a_picture_fails_alone(settings, rows, picture):
    model_id = rows.model()
    with TestClient(create_app(settings.model_copy(update={"max_pixels": 100}), ColourEngine)) as api:
        files = [("image", ("a.png", picture("red"))), ("image", ("b.png", picture("red", size=(11, 11))))]
        first, second = api.post(f"/v1/models/{model_id}/predict", files=files).json()["predictions"]
    assert (first["label"], second["error"]["code"]) == ("red", "image_too_large")


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"inputs": []}, "no_inputs", "/inputs"),
        ({}, "missing_field", "/inputs"),
        ({"inputs": [{"picture": "x"}]}, "unknown_field", "/inputs/0/picture"),
        ({"inputs": [{"image": 5}]}, "invalid_type", "/inputs/0/image"),
        ({"inputs": [{}], "top_k": 0}, "invalid_value", "/top_k"),
        ({"inputs": [{}], "variant": "best"}, "invalid_value", "/variant"),
        ({"inputs": [{}], "colour": "red"}, "unknown_field", "/colour"),
        ({"inputs": [{}] * 257}, "too_many_inputs", "/inputs"),
    ],
)
def test_a_body_that_cannot_be_used_is_refused(api, model_id, refused, body, code, pointer):
    refused(api.post(f"/v1/models/{model_id}/predict", json=body), 422, code, pointer)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_malformed_json_is_refused(api, model_id, refused, content):
    headers = {"content-type": "application/json"}
    refused(api.post(f"/v1/models/{model_id}/predict", content=content, headers=headers), 400, "malformed_json")


@pytest.mark.parametrize(
    ("data", "files", "code", "pointer"),
    [
        ({}, [("other", ("a", b"x"))], "unknown_field", "/other"),
        ({"top_k": "many"}, [("image", ("a", b"x"))], "invalid_type", "/top_k"),
        ({"image": "text"}, [("image", ("a", b"x"))], "missing_filename", "/image"),
        ({}, [("image", ("a", b"x"))] * 300, "too_many_inputs", "/image"),
        ({}, [("image", ("a", b"x"))], "undecodable_image", "/inputs/0"),
    ],
)
def test_a_form_that_cannot_be_used_is_refused(api, model_id, refused, data, files, code, pointer):
    refused(api.post(f"/v1/models/{model_id}/predict", data=data, files=files), 422, code, pointer)


def test_a_form_without_pictures_is_refused(api, model_id, refused):
    body = b'--b\r\nContent-Disposition: form-data; name="top_k"\r\n\r\n1\r\n--b--\r\n'
    headers = {"content-type": "multipart/form-data; boundary=b"}
    refused(api.post(f"/v1/models/{model_id}/predict", content=body, headers=headers), 422, "no_inputs")


def test_a_broken_form_is_refused(api, model_id, refused):
    headers = {"content-type": "multipart/form-data; boundary=b"}
    response = api.post(f"/v1/models/{model_id}/predict", content=b"--x garbage", headers=headers)
    refused(response, 400, "malformed_multipart")


def test_another_content_type_is_refused(api, model_id, refused):
    headers = {"content-type": "image/png"}
    response = api.post(f"/v1/models/{model_id}/predict", content=b"x", headers=headers)
    refused(response, 415, "unsupported_media_type")


def test_an_unknown_model_or_alias_is_not_found(api, refused, picture):
    body = {"inputs": [encoded(picture())]}
    refused(api.post("/v1/models/mdl_unknown/predict", json=body), 404, "model_not_found")
    refused(api.post("/predict", json={"model": "nobody", **body}), 404, "model_not_found")
    refused(api.post("/predict", json=body), 422, "missing_field", "/model")
    refused(api.post("/predict", files={"image": ("a.png", picture())}), 422, "missing_field", "/model")


def test_requests_for_different_models_share_batches_and_each_model_is_loaded_once(api, application, rows, picture):
    models = [rows.model() for _ in range(4)]
    engine = application.state.pouf.engine
    with ThreadPoolExecutor(16) as pool:
        requests = [(models[i % 4], ("red", "blue")[i % 2]) for i in range(64)]
        answers = list(
            pool.map(
                lambda r: api.post(f"/v1/models/{r[0]}/predict", files={"image": ("a.png", picture(r[1]))}), requests
            )
        )
    assert [answer.json()["predictions"][0]["label"] for answer in answers] == [colour for _, colour in requests]
    assert [answer.json()["model_id"] for answer in answers] == [model for model, _ in requests]
    assert engine.loads == 4
    assert engine.batcher.items == 64
    assert engine.batcher.batches < 64


def test_a_full_queue_is_answered_with_retry_after(application, api, model_id, picture, refused, monkeypatch):
    def full(*_):
        raise QueueFull("full")

    monkeypatch.setattr(application.state.pouf.engine.batcher, "submit", full)
    response = api.post(f"/v1/models/{model_id}/predict", files={"image": ("a.png", picture())})
    refused(response, 503, "overloaded")
    assert int(response.headers["retry-after"]) >= 1


def test_a_stopped_batcher_is_answered_with_503(application, api, model_id, picture, refused, monkeypatch):
    def stopped(*_):
        raise BatcherStopped("stopping")

    monkeypatch.setattr(application.state.pouf.engine.batcher, "submit", stopped)
    response = api.post(f"/v1/models/{model_id}/predict", files={"image": ("a.png", picture())})
    refused(response, 503, "serving_unavailable")


def test_a_prediction_that_takes_too_long_is_answered_with_504(settings, rows, picture, refused):
    release = threading.Event()

    class SlowEngine(ColourEngine):
        def _load(self, storage_key):
            release.wait(WAIT_SECONDS)
            return ColourPredictor(storage_key)

    model_id = rows.model()
    with TestClient(create_app(settings.model_copy(update={"predict_timeout": 0.3}), SlowEngine)) as api:
        started = time.monotonic()
        response = api.post(f"/v1/models/{model_id}/predict", files={"image": ("a.png", picture())})
        refused(response, 504, "predict_timeout")
        assert time.monotonic() - started < WAIT_SECONDS / 2
        release.set()


def test_pictures_of_a_client_that_left_are_not_encoded(server, application, model_id, picture):
    batcher = application.state.pouf.engine.batcher
    gate = threading.Event()

    class Gated:
        key = "gated"

        def encode(self, images):
            assert gate.wait(WAIT_SECONDS)
            return [0] * len(images)

    application.state.pouf.engine._decoders.start()  # else the client leaves while the decoder is starting
    (occupying,) = batcher.submit(Gated(), ["an item"])
    wait_for(occupying.running)
    files = [("image", (f"{i}.png", picture())) for i in range(3)]

    async def leave() -> None:
        async with httpx.AsyncClient(base_url=server.base_url, timeout=WAIT_SECONDS) as client:
            asking = asyncio.ensure_future(client.post(f"/v1/models/{model_id}/predict", files=files))
            async with asyncio.timeout(WAIT_SECONDS):
                while batcher.depth < 3:
                    await asyncio.sleep(0.01)
            asking.cancel()

    asyncio.run(leave())
    assert batcher.depth == 3
    wait_for(lambda: all(item.future.cancelled() for item in batcher._waiting))
    gate.set()
    answer = server.post(f"/v1/models/{model_id}/predict", files=files[:1])
    assert answer.status_code == 200
    assert batcher.items == 2


def test_a_model_deleted_during_a_prediction_still_answers_it(
    server, application, model_id, picture, refused, monkeypatch
):
    encoding, go_on = threading.Event(), threading.Event()
    encode = ColourPredictor._encode

    def encode_slowly(predictor, images):
        encoding.set()
        assert go_on.wait(WAIT_SECONDS)
        return encode(predictor, images)

    monkeypatch.setattr(ColourPredictor, "_encode", encode_slowly)
    request = {"url": f"/v1/models/{model_id}/predict", "files": {"image": ("a.png", picture("blue"))}}
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.post, **request)
        assert encoding.wait(WAIT_SECONDS)
        assert server.delete(f"/v1/models/{model_id}").status_code == 204
        refused(server.post(**request), 404, "model_not_found")
        go_on.set()
        assert answer.result(WAIT_SECONDS).json()["predictions"][0]["label"] == "blue"
    refused(server.post(**request), 404, "model_not_found")
    assert application.state.pouf.engine.cache.usage() == {"models": 0, "bytes": 0, "pinned": 0}


@pytest.mark.parametrize(
    "error", [FileNotFoundError("adapter"), ArtifactError("artifact_corrupt", "adapter is missing")]
)
def test_a_model_deleted_while_it_is_loaded_is_not_found(
    api, application, model_id, picture, refused, monkeypatch, error
):
    def delete_and_load(storage_key):
        assert api.delete(f"/v1/models/{model_id}").status_code == 204
        raise error

    monkeypatch.setattr(application.state.pouf.engine.cache, "_load", delete_and_load)
    response = api.post(f"/v1/models/{model_id}/predict", files={"image": ("a.png", picture())})
    refused(response, 404, "model_not_found")
