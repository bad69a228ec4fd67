"""Inputs and bodies that cannot be used; a bad item fails alone."""

import base64

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from tests.app.colour_engine import ColourEngine
from tests.app.predictions.inputs import encoded


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
