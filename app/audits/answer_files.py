"""Answers as people send them: our JSON, a table, or what Label Studio exports."""

import csv
import io
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from starlette.requests import Request

from app.audits.schemas import ANONYMOUS, MOST_ANSWERS, AnswerGiven, AnswersPut
from app.http.budgets import Holding, holding_of
from app.http.content_types import JSON, content_type, is_json, wrong_content_type
from app.http.errors import invalid
from app.http.executors import validating
from app.http.json_bodies import parsed, validate
from app.http.json_parsing import refuse_deep
from pouf_core.data.spreadsheet_cells import text_of_cell

CSV = "text/csv"
NO_CLASS = ("none_of_these", "cant_tell")
#: What an annotated task of JSON-MIN has beside its data; of one that nobody annotated they are null.
SHORT_FORM = ("annotator", "annotation_id")


async def read_answers(request: Request) -> AnswersPut:
    """Return the answers of a body, JSON or CSV by its content type.

    Raises 400 ``malformed_json``, 415, 422 with every error, or as `Budget.take`.
    """
    content = await request.body()
    if is_json(request.headers):
        return await validating(parsed, content, _from_values, refuse_deep, holding_of(request))
    if content_type(request.headers) == CSV:
        return await validating(_from_csv, content, holding_of(request))
    raise wrong_content_type(request.headers, JSON, CSV)


def _from_values(values: object) -> AnswersPut:
    if isinstance(values, list):
        values = {"answers": list(_of_label_studio(values))}
        if not values["answers"]:
            raise invalid("no_answers", "No task of the export has an annotation with a choice.", "/answers")
    return validate(AnswersPut, values)


def _of_label_studio(tasks: list[Any]) -> Iterator[dict[str, Any]]:
    """Tasks as Label Studio exports them to JSON, or to JSON-MIN; those without annotations are left out.

    A task names its item by `sha256` or `name` among its data, as our own export of predictions does. An annotation
    that was skipped says that its author cannot tell.
    """
    for number, task in enumerate(tasks):
        if not isinstance(task, dict):
            raise invalid("invalid_type", "A task of a Label Studio export is an object.", f"/{number}")
        data = task.get("data", task)
        item = data.get("sha256") or data.get("name") if isinstance(data, dict) else None
        annotations = task.get("annotations")
        if annotations is None and not ("label" in task and any(task.get(name) for name in SHORT_FORM)):
            annotations = []  # then its `label`, if any, is our prediction
        if annotations == []:
            continue
        if not isinstance(item, str):
            message = "The task names no item: its data needs `sha256` or `name`."
            raise invalid("audit_item_missing", message, f"/{number}/data")
        if annotations is None:  # JSON-MIN
            yield _answer(item, task["label"], task.get("annotator"))
            continue
        if not isinstance(annotations, list):
            raise invalid("invalid_type", "`annotations` is a list.", f"/{number}/annotations")
        for annotation in annotations:
            if isinstance(annotation, dict) and (choice := _choice(annotation)) is not None:
                yield _answer(item, choice, annotation.get("completed_by"))


def _choice(annotation: dict[str, Any]) -> object:
    if annotation.get("was_cancelled"):
        return "cant_tell"
    results = annotation.get("result")
    for result in results if isinstance(results, list) else []:
        value = result.get("value") if isinstance(result, dict) else None
        choices = value.get("choices") if isinstance(value, dict) else None
        if isinstance(choices, list) and choices:
            return choices[0]
    return None


def _answer(item: str, label: object, person: object) -> dict[str, Any]:
    """An answer; a person of Label Studio is a number, an address, or an object with one."""
    if isinstance(person, dict):
        person = person.get("email") or person.get("id")
    return {"item": item, "label": label, "person": ANONYMOUS if person in (None, "") else str(person)[:200]}


def _from_csv(content: bytes, holding: Holding) -> AnswersPut:
    holding.take_memory(20 * len(content))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise invalid("csv_encoding", "The table is not UTF-8.", "") from error
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        columns = {*(reader.fieldnames or ())}
        if not {"label"} < columns or not columns & {"item", "sha256"}:
            raise invalid("csv_columns", "The table needs the columns `item` and `label`, and may have `person`.", "")
        # one more than are allowed, so that too many are refused without being held
        rows = list(islice((row for row in map(_of_row, reader) if row["label"]), MOST_ANSWERS + 1))
    except csv.Error as error:
        raise invalid("csv_malformed", f"The table cannot be read: {error}.", "") from error
    return validate(AnswersPut, {"answers": rows})


def _of_row(row: Mapping[str, str | None]) -> dict[str, Any]:
    person = (row.get("person") or row.get("annotator") or "").strip()  # Label Studio's CSV has annotators
    item = row.get("item") or row.get("sha256") or ""
    label = text_of_cell(row.get("label") or "")
    return {"item": text_of_cell(item), "label": label, "person": text_of_cell(person) or None}


def without_class(answer: AnswerGiven, classes: Mapping[str, int]) -> str | None:
    """Return which answer it is that names no class, if it does; in files it stands in place of a label."""
    if answer.answer is not None:
        return answer.answer
    return answer.label if answer.label in NO_CLASS and answer.label not in classes else None
