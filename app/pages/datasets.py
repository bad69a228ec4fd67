"""Datasets: how to upload one, what was read of it, and its items."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse

from app.caller import Reader, Writer
from app.datasets import rereading, service
from app.datasets.schemas import DatasetDocument, DatasetListQuery, ItemListQuery, ReadingOptions
from app.http.json_bodies import validate
from app.jobs import service as jobs
from app.jobs.schemas import JobListQuery
from app.pages.rendering import redirect, render

router = APIRouter()

ITEMS_SHOWN = 60


@dataclass(frozen=True)
class Column:
    """A column that a person may choose: its number or heading, what it is called, and some of its cells."""

    value: str
    name: str
    examples: list[str]


@router.get("/")
def show_start(request: Request, caller: Reader) -> HTMLResponse:
    """Return where everything begins: the upload, and what there is already."""
    recent = service.list_datasets(caller, DatasetListQuery(limit=6))
    latest = jobs.list_jobs(caller, JobListQuery(limit=6))
    return render(request, "start.html.jinja", datasets=recent.data, jobs=latest.data)


@router.get("/datasets")
def list_datasets(request: Request, caller: Reader, cursor: str | None = None) -> HTMLResponse:
    """Return the list, newest first."""
    query = validate(DatasetListQuery, {"cursor": cursor})
    return render(request, "datasets.html.jinja", page=service.list_datasets(caller, query))


@router.get("/datasets/{dataset_id}")
def show_dataset(request: Request, dataset_id: str, caller: Reader) -> HTMLResponse:
    """Return what was read, and the first items."""
    dataset = service.read(caller, dataset_id)
    return render(
        request,
        "dataset.html.jinja",
        dataset=dataset,
        is_final=service.is_final(dataset),
        columns=_columns(dataset),
        may_be_read_again=rereading.may_be_read_again(caller, dataset),
        items=service.list_items(caller, dataset_id, ItemListQuery(limit=ITEMS_SHOWN, status="accepted")),
        jobs=jobs.list_jobs(caller, JobListQuery(dataset_id=dataset_id, limit=20)).data,
    )


@router.get("/datasets/{dataset_id}/items")
def show_items(
    request: Request, dataset_id: str, caller: Reader, query: Annotated[ItemListQuery, Query()]
) -> HTMLResponse:
    """Return a page of items."""
    query = query.model_copy(update={"limit": ITEMS_SHOWN})
    dataset, items = service.read(caller, dataset_id), service.list_items(caller, dataset_id, query)
    return render(request, "items.html.jinja", dataset=dataset, items=items, shown=query.status)


@router.post("/datasets/{dataset_id}/read-again")
def read_again(
    request: Request,
    dataset_id: str,
    caller: Writer,
    text_column: Annotated[str, Form()] = "",
    label_column: Annotated[str, Form()] = "",
    delimiter: Annotated[str, Form()] = "",
    encoding: Annotated[str, Form()] = "",
    header: Annotated[str, Form()] = "",
    labels: Annotated[str, Form()] = "auto",
) -> HTMLResponse:
    """Read the uploaded files again, as a person says that they are meant."""
    texts = {"text_column": text_column, "label_column": label_column, "delimiter": delimiter, "encoding": encoding}
    options = validate(ReadingOptions, {**texts, "header": header, "labels": labels})
    rereading.read_again(caller, dataset_id, options)
    return redirect(request, f"/datasets/{dataset_id}")


@router.post("/datasets/{dataset_id}/delete")
def delete_dataset(request: Request, dataset_id: str, caller: Writer) -> HTMLResponse:
    """Delete the dataset."""
    service.delete(caller, dataset_id)
    return redirect(request, "/datasets")


def _columns(dataset: DatasetDocument) -> list[Column]:
    """Return the columns to choose from: of a table that does not tell, or of the first that was read.

    They go by number, which no two of them share.
    """
    found = [] if dataset.error is None else [one["candidate"] for one in dataset.error.errors if "candidate" in one]
    if found:
        return [Column(str(one["column"]), _name(one["column"], one["heading"]), one["examples"]) for one in found]
    header = next((reading.header for reading in dataset.readings if reading.header), None) or []
    return [Column(str(number), _name(number, heading), []) for number, heading in enumerate(header)]


def _name(number: int, heading: str | None) -> str:
    return heading or f"column {number + 1}"
