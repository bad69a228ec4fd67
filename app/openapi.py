"""The OpenAPI document: what FastAPI derives from the routes, and what is true of all of them.

Problem answers, headers and links follow from an operation's shape, so that no route can forget them.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from app.http.errors import PROBLEM_JSON, Problem

Document = dict[str, Any]

METHODS = ("get", "put", "post", "delete")
TEXT_HEADER: Document = {"schema": {"type": "string"}}
SECONDS_HEADER: Document = {"schema": {"type": "integer"}}
REQUEST_ID = {"X-Request-Id": {**TEXT_HEADER, "required": True, "description": "Quote it to report a problem."}}
PROBLEM_HEADERS = {
    401: {"WWW-Authenticate": {**TEXT_HEADER, "required": True}},
    409: {"X-Should-Retry": {**TEXT_HEADER, "required": True, "description": "`false`: asking again is useless."}},
    429: {"Retry-After": {**SECONDS_HEADER, "required": True}},
    503: {"Retry-After": {**SECONDS_HEADER, "required": True}},
}
# what a caller gets whatever the operation: its body refused, where none is taken too; a host's name that is not ours;
# a fault of ours, a database that is away, a full disk
ANYWHERE = (408, 413, 421, 500, 503, 507)
# the path parameter that takes the `id` of what an operation answers
IDS = {
    "create_dataset": "dataset_id",
    "create_job": "job_id",
    "create_batch_prediction": "batch_id",
    "get_model": "model_id",
    "create_webhook": "webhook_id",
}
ALIAS = "put_alias"


def operation_id(route: APIRoute) -> str:
    """Return the route's function's name, which is how generated clients call the operation."""
    return route.name


def install(app: FastAPI) -> None:
    """Make `app` serve the completed document."""
    derive = app.openapi

    def openapi() -> Document:
        if app.openapi_schema is None:
            complete(derive())
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def complete(document: Document) -> None:
    """Add to `document` the problem answers, headers and links of every operation."""
    problem_schema = TypeAdapter(Problem).json_schema(ref_template="#/components/schemas/{model}")
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas |= problem_schema.pop("$defs") | {"Problem": problem_schema}
    for path, method, operation in operations(document):
        name_body_schema(operation, schemas)
        answers = {status: answer for status, answer in operation["responses"].items() if not status.endswith("XX")}
        for status in problem_statuses(path, method, operation):
            answers.setdefault(str(status), problem(status))
        for answer in answers.values():
            answer["headers"] = {**REQUEST_ID, **answer.get("headers", {})}
        operation["responses"] = dict(sorted(answers.items()))
    add_links(document)


def name_body_schema(operation: Document, schemas: Document) -> None:
    """Move the schema of a JSON body, where a route wrote it out with what it refers to, to the named ones."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is None or "$defs" not in body["schema"]:
        return
    schema = body["schema"]
    schemas |= schema.pop("$defs")
    schemas[schema["title"]] = schema
    body["schema"] = {"$ref": f"#/components/schemas/{schema['title']}"}


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Yield (path, method, operation) of every operation."""
    for path, item in document["paths"].items():
        yield from ((path, method, item[method]) for method in METHODS if method in item)


def problem_statuses(path: str, method: str, operation: Document) -> list[int]:
    """Return the error statuses that an operation of this shape may answer."""
    statuses = [*ANYWHERE]
    if "security" in operation:
        statuses += [401, 403, 429]
    queried = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
    if "{" in path or path == "/predict" or "model_id" in queried:
        statuses.append(404)
    if path.startswith("/v1/"):
        statuses.append(422)
    if "requestBody" in operation:
        statuses += [400, 404, 415, 422]
    predicts = path.endswith("/predict")
    if path.startswith("/v1/") and method != "get" and not predicts:
        statuses.append(409)
    if path.endswith(("/predictions", "/compare")):  # before there are any
        statuses += [404, 409]
    if path.endswith(("/predictions", "/artifact")):  # in a format that is not installed
        statuses.append(501)
    if predicts:
        statuses.append(504)
    return sorted(set(statuses))


def problem(status: int) -> Document:
    """Return the description of a problem answer."""
    return {
        "description": f"{HTTPStatus(status).phrase}: a problem document (RFC 9457).",
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        "headers": PROBLEM_HEADERS.get(status, {}),
    }


def add_links(document: Document) -> None:
    """Link every answer that holds an id to the operations that take it."""
    found = {operation["operationId"]: operation for _, _, operation in operations(document)}
    for producer, parameter in IDS.items():
        _link(found[producer], _takers(found, parameter, "$response.body#/id"))
    _link(found[ALIAS], _takers(found, "name", "$response.body#/name"))
    body = {"dataset_id": "$response.body#/id"}
    _link(found["create_dataset"], {"create_job": {"operationId": "create_job", "requestBody": body}})
    _link(found["get_job"], {"get_model": _to("get_model", "model_id", "$response.body#/model_id")})


def _takers(found: dict[str, Document], parameter: str, expression: str) -> Document:
    return {
        name: _to(name, parameter, expression)
        for name, operation in found.items()
        if any(p["in"] == "path" and p["name"] == parameter for p in operation.get("parameters", []))
    }


def _to(name: str, parameter: str, expression: str) -> Document:
    return {"operationId": name, "parameters": {f"path.{parameter}": expression}}


def _link(operation: Document, links: Document) -> None:
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            answer["links"] = {**answer.get("links", {}), **links}
