"""The client has types of its own; here they are compared with the service's OpenAPI document."""

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

import pytest

from app.main import create_app
from pouf_client import BaseModel, Dataset, Evaluation, Event, Job, Model, Prediction, Predictions, errors, resources
from pouf_client.audits import Audit, AuditEstimate, AuditItem, Audits, Proposal
from pouf_client.batch_predictions import BatchPrediction, BatchPredictions
from pouf_client.dataset_samples import DatasetSample
from pouf_client.datasets import DatasetOptions, Datasets, ReadingOptions
from pouf_client.jobs import Jobs
from pouf_client.keys import ApiKey, CreatedKey, Keys
from pouf_client.me import Me
from pouf_client.predictions import ItemPrediction, JobComparison
from pouf_core.contract.result import Evaluation as EvaluationResult
from store.settings import Settings

Schema = dict[str, Any]

#: Client type to the schema that it is read from.
ANSWERS = {
    Dataset: "DatasetDocument",
    Job: "JobDocument",
    Model: "ModelDocument",
    BaseModel: "BaseModelDocument",
    Event: "EventDocument",
    Predictions: "PredictionListDocument",
    Prediction: "PredictionDocument",
    resources.DatasetItem: "DatasetItemDocument",
    DatasetSample: "DatasetSampleDocument",
    Me: "MeDocument",
    ApiKey: "ApiKeyDocument",
    CreatedKey: "CreatedKeyDocument",
    ItemPrediction: "PredictedItemDocument",
    JobComparison: "JobComparisonDocument",
    BatchPrediction: "BatchPredictionDocument",
    Audit: "AuditDocument",
    AuditItem: "AuditItemDocument",
    AuditEstimate: "AuditEstimateDocument",
    Proposal: "ProposalDocument",
    resources.Template: "TemplateDocument",
}
#: Fields that stand elsewhere in the document: a path of properties.
ELSEWHERE = {
    (Job, "step"): "progress.step",
    (Job, "total_steps"): "progress.total_steps",
    (Job, "fraction"): "progress.fraction",
    (BatchPrediction, "step"): "progress.step",
    (BatchPrediction, "total_steps"): "progress.total_steps",
    (Predictions, "items"): "predictions",
}
#: Fields that the client gives another form, and why.
CONVERTED = {
    (Prediction, "top_k"): "pairs of label and score in place of objects",
    (Model, "class_names"): "the names alone, without their prompts",
    (Dataset, "suggested_class_names"): "an empty list in place of null",
    (BaseModel, "tune_modes"): "an empty list in place of null",
}
#: Fields of the request that the client does not take, and why.
LEFT_OUT = {("DatasetForm", "finalize"): "`create` sends every file in one request, so that the dataset is complete"}
WAITING = ("wait", "timeout", "on_progress", "progress", "on_upload")
#: Arguments that are no field of the request, and why.
NOT_SENT = {
    ("AuditCreate", "job_id"): "in the path",
    ("DatasetForm", "source"): "sent as `files`",
    **{("DatasetForm", name): "what the client does meanwhile or afterwards" for name in WAITING},
}


@pytest.fixture(scope="module")
def openapi(tmp_path_factory) -> Schema:
    return create_app(Settings(data_dir=tmp_path_factory.mktemp("data"))).openapi()


def body_of(openapi: Schema, path: str, media_type: str) -> Schema:
    return openapi["paths"][path]["post"]["requestBody"]["content"][media_type]["schema"]


def resolved(schema: Schema, openapi: Schema) -> Schema:
    while "$ref" in schema:
        schema = openapi["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def alternatives(schema: Schema, openapi: Schema) -> Iterator[Schema]:
    schema = resolved(schema, openapi)
    if "anyOf" in schema or "oneOf" in schema:
        for option in schema.get("anyOf") or schema["oneOf"]:
            yield from alternatives(option, openapi)
    elif "enum" in schema and "type" not in schema:
        yield {**schema, "type": "string"}
    else:
        yield schema


def accepts(annotation: Any, schema: Schema, openapi: Schema) -> bool:
    """Whether a value of every form that the schema allows is a value of the type."""
    return all(
        any(_is(option, form, openapi) for option in _options(annotation)) for form in alternatives(schema, openapi)
    )


def can_send(annotation: Any, schema: Schema, openapi: Schema) -> bool:
    """Whether every value of the type, None aside, has a form that the schema allows."""
    forms = list(alternatives(schema, openapi))
    return all(
        any(_is(option, form, openapi, match=can_send) for form in forms)
        for option in _options(annotation)
        if option is not NoneType
    )


def _options(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (UnionType, typing.Union) else (annotation,)


Match = Callable[[Any, Schema, Schema], bool]
PLAIN = {str: ("string",), int: ("integer",), float: ("number", "integer"), bool: ("boolean",), NoneType: ("null",)}


def _is(annotation: Any, form: Schema, openapi: Schema, match: Match = accepts) -> bool:
    kind, origin = form.get("type"), get_origin(annotation) or annotation
    if annotation in PLAIN:
        return kind in PLAIN[annotation]
    if origin in (list, tuple, Sequence):
        inner = form.get("items") or {"anyOf": form.get("prefixItems", [])}
        return kind == "array" and match(get_args(annotation)[0], inner, openapi)
    if origin in (dict, Mapping):
        return kind == "object" and _is_mapping(annotation, form, openapi, match)
    return kind == "object" and (annotation in ANSWERS or _has_fields(annotation, form, openapi, match))


def _has_fields(annotation: Any, form: Schema, openapi: Schema, match: Match) -> bool:
    if annotation is Evaluation and "properties" not in form:
        return True  # a test of its own compares it
    parts = form.get("properties", {})
    return all(
        name in parts and match(hint, parts[name], openapi) for name, hint in typing.get_type_hints(annotation).items()
    )


def _is_mapping(annotation: Any, form: Schema, openapi: Schema, match: Match) -> bool:
    value = get_args(annotation)[1]
    if value in (Any, object):
        return True
    if isinstance(form.get("additionalProperties"), dict):
        return match(value, form["additionalProperties"], openapi)
    return all(match(value, part, openapi) for part in form.get("properties", {}).values())


def find(schema: Schema, path: str, openapi: Schema) -> Schema | None:
    for name in path.split("."):
        schema = next(form for form in alternatives(schema, openapi) if form.get("type") == "object")
        if name not in schema.get("properties", {}):
            return None
        schema = schema["properties"][name]
    return schema


ANSWER_FIELDS = [
    (of, name)
    for of in ANSWERS
    for name in ([field.name for field in fields(of)] if is_dataclass(of) else of.__annotations__)
    if name != "raw"
]


@pytest.mark.parametrize(
    ("of", "name"), ANSWER_FIELDS, ids=lambda part: part if isinstance(part, str) else part.__name__
)
def test_a_field_of_an_answer_is_in_the_openapi_document_with_its_type(openapi, of, name):
    published = find(openapi["components"]["schemas"][ANSWERS[of]], ELSEWHERE.get((of, name), name), openapi)
    assert published is not None
    if (of, name) not in CONVERTED:
        assert accepts(typing.get_type_hints(of)[name], published, openapi), published


def test_an_evaluation_has_the_fields_of_the_methods():
    schema = EvaluationResult.model_json_schema()
    hints = typing.get_type_hints(Evaluation)
    assert hints.keys() == schema["properties"].keys()
    for name, published in schema["properties"].items():
        assert accepts(hints[name], published, schema), name


def test_an_error_has_the_fields_of_a_problem_document(openapi):
    problem = next(
        answer["content"]["application/problem+json"]["schema"]
        for status, answer in openapi["paths"]["/v1/jobs"]["post"]["responses"].items()
        if status.startswith("4")
    )
    found = resolved(problem, openapi)["properties"]
    assert {"status", "code", "detail", "errors", "request_id"} <= found.keys()
    assert resolved(found["errors"]["items"], openapi)["properties"].keys() == errors.FieldError.__annotations__.keys()


@pytest.mark.parametrize(
    ("create", "path", "media_type", "schema"),
    [
        (Jobs.create, "/v1/jobs", "application/json", "JobCreate"),
        (BatchPredictions.create, "/v1/batch-predictions", "application/json", "BatchPredictionCreate"),
        (Audits.create, "/v1/jobs/{job_id}/audits", "application/json", "AuditCreate"),
        (Keys.create, "/v1/keys", "application/json", "KeyCreate"),
        (Datasets.create, "/v1/datasets", "multipart/form-data", "DatasetForm"),
    ],
    ids=["jobs", "batch predictions", "audits", "keys", "datasets"],
)
def test_what_can_be_created_is_what_the_openapi_document_takes(openapi, create, path, media_type, schema):
    taken = resolved(body_of(openapi, path, media_type), openapi)["properties"].keys() - {"files"}
    given = inspect.signature(create).parameters.keys() - {"self"}
    assert given - taken == {name for of, name in NOT_SENT if of == schema}
    assert taken - given == {name for of, name in LEFT_OUT if of == schema}


def test_an_argument_of_a_new_job_has_the_type_of_its_field(openapi):
    published = resolved(body_of(openapi, "/v1/jobs", "application/json"), openapi)["properties"]
    hints = {name: hint for name, hint in typing.get_type_hints(Jobs.create).items() if name != "return"}
    wrong = {name: hint for name, hint in hints.items() if not can_send(hint, published[name], openapi)}
    assert wrong == {}


def test_the_options_of_a_dataset_are_those_of_create():
    given = inspect.signature(Datasets.create).parameters.keys() - {"self", "source"}
    given -= {"labels"}  # texts and vectors at hand lie in no folders
    assert DatasetOptions.__annotations__.keys() == given
    assert ReadingOptions.__annotations__.keys() == given - {"name", "metadata", *WAITING} | {"labels"}


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (str, {"type": "integer"}),
        (str, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (list[str], {"type": "array", "items": {"type": "number"}}),
        (dict[str, str], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (resources.CodedMessage, {"type": "object", "properties": {"code": {"type": "string"}}}),
    ],
)
def test_the_comparison_tells_a_wrong_type(annotation, schema):
    assert not accepts(annotation, schema, {})
