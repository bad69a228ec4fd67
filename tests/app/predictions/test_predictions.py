import base64

import pytest

from tests.app.predictions.inputs import encoded


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


def test_an_unknown_model_or_alias_is_not_found(api, refused, picture):
    body = {"inputs": [encoded(picture())]}
    refused(api.post("/v1/models/mdl_unknown/predict", json=body), 404, "model_not_found")
    refused(api.post("/predict", json={"model": "nobody", **body}), 404, "model_not_found")
    refused(api.post("/predict", json=body), 422, "missing_field", "/model")
    refused(api.post("/predict", files={"image": ("a.png", picture())}), 422, "missing_field", "/model")
