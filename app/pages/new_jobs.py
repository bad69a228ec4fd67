"""New jobs: class names, what to spend, and a name to serve the model under."""

import re

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse

from app.base_models.routes import list_base_models
from app.base_models.schemas import BaseModelDocument
from app.caller import Caller, Reader, Writer
from app.datasets import service as datasets
from app.datasets.schemas import DatasetDocument
from app.http.json_bodies import Draft, validate
from app.jobs import service
from app.jobs.schemas import JobCreate
from app.pages.class_lists import parse_class_list
from app.pages.rendering import redirect, render

router = APIRouter()

_NO_ALIAS = re.compile(r"[^A-Za-z0-9._-]+")
LONGEST_ALIAS = 63


@router.get("/jobs/new")
def show_form(request: Request, dataset: str, caller: Reader) -> HTMLResponse:
    """Return the form for a job over the dataset."""
    document = datasets.read(caller, dataset)
    models = list_base_models(caller).data
    return render(
        request,
        "new_job.html.jinja",
        dataset=document,
        base_models=[model for model in models if _suits(model, document)],
        alias=_alias_for(document.name),
    )


@router.post("/jobs")
async def create_job(request: Request, caller: Writer) -> HTMLResponse:
    """Create the job."""
    form = await request.form()
    job_id = await run_in_threadpool(_create, caller, form)
    return redirect(request, f"/jobs/{job_id}")


def _create(caller: Caller, form: FormData) -> str:
    values: dict[str, object] = {name: value for name, value in form.items() if value != ""}
    values["class_names"] = parse_class_list(str(values.get("class_names", "")))
    body = validate(JobCreate, values)
    return service.create(caller, Draft(body), lambda session, document: None).id


def _suits(model: BaseModelDocument, dataset: DatasetDocument) -> bool:
    """Tell whether a person may choose it here: language models need templates, which the API takes."""
    return model.modality == dataset.modality and not model.takes_label_words


def _alias_for(name: str | None) -> str:
    """Return a name to serve the model under, made of the dataset's."""
    return _NO_ALIAS.sub("-", name or "").strip("-._").lower()[:LONGEST_ALIAS]
