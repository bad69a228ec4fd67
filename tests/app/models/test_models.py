import base64
import io
import zipfile

import pytest

from store.tables import AdaptedModel

EVALUATION = {
    "zero_shot_accuracy": 0.5,
    "adapted_accuracy": 0.75,
    "zero_shot_interval": [0.25, 0.75],
    "adapted_interval": [0.5, 1.0],
    "n": 3,
    "unmatched": 0,
}


def test_a_model_is_shown_by_id_and_by_alias(api, rows):
    reasons = [{"code": "classes_vanished", "message": "3 classes are not predicted any more."}]
    verdict = {"verdict": "harmful", "verdict_reasons": reasons, "fallback": "zero_shot", "selected_step": 4}
    model_id = rows.model(name="m", evaluation=EVALUATION, **verdict)
    api.put("/v1/aliases/best", json={"model_id": model_id})
    document = api.get(f"/v1/models/{model_id}").json()
    assert (document["id"], document["name"], document["aliases"]) == (model_id, "m", ["best"])
    assert document["evaluation"] == EVALUATION
    assert {name: document[name] for name in verdict} == verdict
    assert api.get("/v1/models/best").json() == document
    assert [model["id"] for model in api.get("/v1/models").json()["data"]] == [model_id]


def test_a_model_is_renamed_by_id_and_by_alias(api, rows, refused):
    model_id = rows.model(name="m")
    api.put("/v1/aliases/best", json={"model_id": model_id})
    assert api.patch(f"/v1/models/{model_id}", json={"name": "birds"}).json()["name"] == "birds"
    renamed = api.patch("/v1/models/best", json={"name": None})
    assert (renamed.status_code, renamed.json()) == (200, api.get(f"/v1/models/{model_id}").json())
    assert renamed.json()["name"] is None
    refused(api.patch("/v1/models/best", json={"name": ""}), 422, "invalid_value")
    refused(api.patch("/v1/models/best", json={}), 422, "missing_field")
    refused(api.patch("/v1/models/worst", json={"name": "birds"}), 404, "model_not_found")


def test_an_alias_moves_and_says_whether_it_is_new(api, rows):
    first, second = rows.model(), rows.model()
    assert api.put("/v1/aliases/best", json={"model_id": first}).status_code == 201
    moved = api.put("/v1/aliases/best", json={"model_id": second})
    assert (moved.status_code, moved.json()["model_id"]) == (200, second)
    assert api.get("/v1/aliases/best").json()["model_id"] == second
    assert api.get(f"/v1/models/{first}").json()["aliases"] == []


def test_of_many_aliases_of_a_model_a_refusal_names_some(api, rows, refused):
    model_id = rows.model()
    for number in range(30):
        api.put(f"/v1/aliases/name{number:02}", json={"model_id": model_id})
    answer = api.delete(f"/v1/models/{model_id}")
    refused(answer, 409, "model_has_aliases")
    assert "'name00', 'name01', " in answer.json()["detail"]
    assert "'name09' and others. " in answer.json()["detail"]


def test_a_model_tells_its_first_names_and_where_the_others_are(api, rows, refused):
    model_id, other = rows.model(), rows.model()
    names = [f"name{number:02}" for number in range(30)]
    for name in reversed(names):
        api.put(f"/v1/aliases/{name}", json={"model_id": model_id})
    api.put("/v1/aliases/zebra", json={"model_id": other})
    listed = {model["id"]: model for model in api.get("/v1/models").json()["data"]}
    for document in (api.get(f"/v1/models/{model_id}").json(), listed[model_id]):
        assert (document["aliases"], document["has_more_aliases"]) == (names[:20], True)
    assert (listed[other]["aliases"], listed[other]["has_more_aliases"]) == (["zebra"], False)
    for called in (model_id, "name07"):
        found = api.get("/v1/aliases", params={"model_id": called, "limit": 100}).json()
        assert ([alias["name"] for alias in found["data"]], found["has_more"]) == (names, False)
    refused(api.get("/v1/aliases?model_id=unknown"), 404, "model_not_found")
    page = api.get(f"/models/{model_id}").text
    assert (page.count("Take the name name"), f'"/v1/aliases?model_id={model_id}' in page) == (20, True)


def test_aliases_are_listed_by_name_in_pages(api, rows):
    model_id = rows.model()
    for name in ("c", "a", "b"):
        api.put(f"/v1/aliases/{name}", json={"model_id": model_id})
    first = api.get("/v1/aliases?limit=2").json()
    assert [alias["name"] for alias in first["data"]] == ["a", "b"]
    rest = api.get("/v1/aliases", params={"cursor": first["next_cursor"]}).json()
    assert [alias["name"] for alias in rest["data"]] == ["c"]


def test_a_deleted_alias_leaves_its_model(api, rows, refused):
    model_id = rows.model()
    api.put("/v1/aliases/best", json={"model_id": model_id})
    assert api.delete("/v1/aliases/best").status_code == 204
    refused(api.get("/v1/aliases/best"), 404, "alias_not_found")
    refused(api.delete("/v1/aliases/best"), 404, "alias_not_found")
    assert api.get(f"/v1/models/{model_id}").status_code == 200


@pytest.mark.parametrize(
    ("name", "body", "status", "code"),
    [
        ("best", {"model_id": "mdl_unknown"}, 404, "model_not_found"),
        ("best", {}, 422, "missing_field"),
        ("best", {"model_id": "m", "colour": "red"}, 422, "unknown_field"),
        ("no spaces", {"model_id": "m"}, 422, "invalid_value"),
        ("x" * 64, {"model_id": "m"}, 422, "invalid_value"),
    ],
)
def test_an_alias_that_cannot_be_is_refused(api, refused, name, body, status, code):
    refused(api.put(f"/v1/aliases/{name}", json=body), status, code)
    assert api.get("/v1/aliases").json()["data"] == []


def test_a_model_with_an_alias_is_not_deleted(api, rows, refused):
    model_id = rows.model()
    api.put("/v1/aliases/best", json={"model_id": model_id})
    refused(api.delete(f"/v1/models/{model_id}"), 409, "model_has_aliases")
    api.delete("/v1/aliases/best")
    assert api.delete(f"/v1/models/{model_id}").status_code == 204


def operations_of_models(document):
    """Every operation that names a model: in its path, or in its body by the field that is returned with it."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            if "$ref" in body:
                body = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]
            field = next((name for name in ("model", "model_id") if name in body.get("properties", {})), None)
            if field or "{model_id}" in path:
                yield method.upper(), path, field, body.get("required", [])


def test_whatever_takes_a_models_id_takes_an_alias(api, rows, picture):
    model_id, dataset_id = rows.model(), rows.dataset()
    api.put("/v1/aliases/best", json={"model_id": model_id})
    values = {
        "dataset_id": dataset_id,
        "inputs": [{"image": base64.b64encode(picture()).decode()}],
        "name": "birds",
    }
    found = list(operations_of_models(api.get("/openapi.json").json()))
    assert {path for _, path, _, _ in found} >= {
        "/predict",
        "/v1/aliases/{name}",
        "/v1/batch-predictions",
        "/v1/models/{model_id}",
        "/v1/models/{model_id}/artifact",
        "/v1/models/{model_id}/predict",
    }
    # the last deletes the alias that the others need
    for method, path, field, required in sorted(found, key=lambda one: one[0] == "DELETE"):
        body = {name: values[name] for name in required if name != field} | ({field: "best"} if field else {})
        answer = api.request(
            method,
            path.format(model_id="best", name="other", format="numpy"),
            json=body if method in ("POST", "PUT", "PATCH") else None,
        )
        assert answer.status_code in (200, 201, 202) or answer.json()["code"] == "model_has_aliases", (
            path,
            answer.text,
        )
    assert api.get("/v1/aliases/other").json()["model_id"] == model_id


def test_what_names_a_deleted_model_says_so_and_leads_nowhere(api, rows):
    job_id = rows.job("running", "succeeded")
    model_id = rows.model_of(job_id)
    dataset_id = rows.dataset(item_count=1)
    batch = api.post("/v1/batch-predictions", json={"model": model_id, "dataset_id": dataset_id}).json()
    paths = (f"/v1/jobs/{job_id}", f"/v1/batch-predictions/{batch['id']}")
    for document in map(api.get, paths):
        assert not document.json()["model_deleted"]
        assert api.get(document.json()["urls"]["model"]).status_code == 200
    assert api.delete(f"/v1/models/{model_id}").status_code == 204
    listed = [api.get(path.rpartition("/")[0]).json()["data"][0] for path in paths]
    for document in [*listed, *(api.get(path).json() for path in paths)]:
        assert (document["model_id"], document["model_deleted"], document["dataset_deleted"]) == (model_id, True, False)
        assert not any(model_id in url for url in document["urls"].values())
        assert api.get(document["urls"]["dataset"]).status_code == 200
    for page in (f"/jobs/{job_id}", f"/v1/jobs/{job_id}/report"):
        text = api.get(page).text
        assert "The model was deleted" in text
        assert f"/models/{model_id}" not in text


def test_a_model_outlives_its_job_and_does_not_lead_to_it(api, rows):
    job_id = rows.job("running", "succeeded")
    model_id = rows.model_of(job_id)
    assert api.get(f"/v1/models/{model_id}").json()["urls"]["job"] == f"/v1/jobs/{job_id}"
    assert api.delete(f"/v1/jobs/{job_id}").status_code == 204
    model = api.get(f"/v1/models/{model_id}").json()
    assert (model["job_id"], model["job_deleted"]) == (job_id, True)
    assert not {"job", "report"} & set(model["urls"])
    assert f"/jobs/{job_id}" not in api.get(f"/models/{model_id}").text


def test_a_deleted_model_is_gone_with_its_artifact(api, rows, storage, refused, picture):
    model_id = rows.model()
    predict = {"url": f"/v1/models/{model_id}/predict", "files": {"image": ("a.png", picture())}}
    assert api.post(**predict).status_code == 200
    api.delete(f"/v1/models/{model_id}")
    for response in (
        api.get(f"/v1/models/{model_id}"),
        api.delete(f"/v1/models/{model_id}"),
        api.get(f"/v1/models/{model_id}/artifact"),
        api.post(**predict),
        api.put("/v1/aliases/best", json={"model_id": model_id}),
    ):
        refused(response, 404, "model_not_found")
    assert not storage.exists(f"models/{model_id}")
    assert api.get("/v1/models").json()["data"] == []


def test_foreign_models_are_not_found(api, rows, refused):
    model_id = rows.model(owner="somebody else")
    refused(api.get(f"/v1/models/{model_id}"), 404, "model_not_found")
    refused(api.put("/v1/aliases/best", json={"model_id": model_id}), 404, "model_not_found")
    assert api.get("/v1/models").json()["data"] == []


def test_the_artifact_is_the_models_directory_as_a_zip(api, rows):
    model_id = rows.model()
    response = api.get(f"/v1/models/{model_id}/artifact")
    assert response.headers["content-type"] == "application/zip"
    assert f"{model_id}.zip" in response.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["adapter.safetensors", "pouf.json"]
        assert archive.read("adapter.safetensors") == b"x" * 1_000_000
    assert api.get(f"/v1/models/{model_id}/artifact").content == response.content


def test_a_lost_artifact_is_said_to_be_lost(api, rows, storage, refused, picture):
    model_id = rows.model()
    storage.delete(f"models/{model_id}")
    refused(api.get(f"/v1/models/{model_id}/artifact"), 500, "artifact_missing")
    response = api.post(f"/v1/models/{model_id}/predict", files={"image": ("a.png", picture())})
    refused(response, 500, "artifact_missing")


def test_an_alias_of_a_model_of_another_owner_does_not_leak(api, rows, database, refused):
    model_id = rows.model()
    api.put("/v1/aliases/best", json={"model_id": model_id})
    with database.write() as session:
        session.get_one(AdaptedModel, model_id).owner = "somebody else"
    refused(api.get("/v1/models/best"), 404, "model_not_found")
