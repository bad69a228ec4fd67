"""Datasets: how to upload one, what was read of it, and its items."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from app.caller import Reader, Writer
from app.datasets import service
from app.datasets.schemas import DatasetListQuery, ItemListQuery
from app.http.json_bodies import validate
from app.jobs import service as jobs
from app.jobs.schemas import JobListQuery
from app.pages.rendering import redirect, render

router = APIRouter()

ITEMS_SHOWN = 60


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


@router.post("/datasets/{dataset_id}/delete")
def delete_dataset(request: Request, dataset_id: str, caller: Writer) -> HTMLResponse:
    """Delete the dataset."""
    service.delete(caller, dataset_id)
    return redirect(request, "/datasets")
