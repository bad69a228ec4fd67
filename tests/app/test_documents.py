"""What is answered is what the OpenAPI document says."""

import pytest

from app.base_models.schemas import TemplateDocument
from app.datasets.schemas import DatasetDocument, DatasetFileDocument, DatasetItemDocument, DatasetSummaryDocument
from app.http.schemas import ListDocument
from app.jobs.schemas import EventDocument, JobDocument, JobSummaryDocument
from app.models.schemas import AliasDocument, ModelDocument, ModelSummaryDocument
from app.predictions.schemas import PredictionListDocument
from pouf_core.contract.findings import finding
from store.tables import DatasetItem


@pytest.fixture
def places(api, rows, database, picture):
    dataset_id = api.post("/v1/datasets", files={"files": ("a.png", picture())}).json()["id"]
    with database.write() as session:
        session.add(DatasetItem(dataset_id=dataset_id, name="x", status="rejected", code="c", message="m"))
    told = [finding("c", "m")]
    verdict = {"verdict": "harmful", "verdict_reasons": told, "fallback": "zero_shot", "selected_step": 0}
    job_id = rows.job("running", "failed", error_code="c", error_message="m", warnings=told, **verdict)
    model_id = rows.model(**verdict)
    api.put("/v1/aliases/best", json={"model_id": model_id})
    return {"dataset": dataset_id, "job": job_id, "model": model_id}


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/v1/datasets", ListDocument[DatasetSummaryDocument]),
        ("/v1/datasets/{dataset}", DatasetDocument),
        ("/v1/datasets/{dataset}/items", ListDocument[DatasetItemDocument]),
        ("/v1/datasets/{dataset}/files", ListDocument[DatasetFileDocument]),
        ("/v1/jobs", ListDocument[JobSummaryDocument]),
        ("/v1/jobs/{job}", JobDocument),
        ("/v1/jobs/{job}/events", ListDocument[EventDocument]),
        ("/v1/models", ListDocument[ModelSummaryDocument]),
        ("/v1/models/{model}", ModelDocument),
        ("/v1/aliases", ListDocument[AliasDocument]),
        ("/v1/aliases/best", AliasDocument),
        ("/v1/templates", ListDocument[TemplateDocument]),
    ],
)
def test_answers_have_exactly_the_documented_fields(api, places, path, document):
    answer = api.get(path.format(**places)).json()
    shown = document.model_validate(answer).model_dump(mode="json")
    assert set(shown) == set(answer)
    if "data" in answer:
        assert answer["data"]
        assert set(shown["data"][0]) == set(answer["data"][0])


def test_openapi_lists_the_methods_and_the_verdicts(api):
    schemas = api.get("/openapi.json").json()["components"]["schemas"]
    assert schemas["MethodSpec"]["properties"]["type"]["enum"] == ["pouf", "prior-matching", "zero-shot"]
    for name in ("JobDocument", "ModelDocument"):
        properties = schemas[name]["properties"]
        assert properties["verdict"]["anyOf"][0]["enum"] == ["improved", "uncertain", "harmful"]
        assert properties["fallback"]["anyOf"][0]["const"] == "zero_shot"
        assert properties["verdict_reasons"]["items"]["$ref"].endswith("/Finding")
        assert properties["selected_step"]["anyOf"][0]["type"] == "integer"


def test_predictions_have_exactly_the_documented_fields(api, places, picture):
    files = [("image", ("a.png", picture())), ("image", ("b.png", b"broken"))]
    answer = api.post(f"/v1/models/{places['model']}/predict", files=files).json()
    assert PredictionListDocument.model_validate(answer).model_dump(exclude_none=True) == answer
