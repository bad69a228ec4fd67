"""New jobs: class names, tried on a sample while they are typed; what to spend; and a name to serve the model under."""

import re
from collections.abc import Mapping
from unicodedata import combining, normalize

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse

from app.base_models.routes import list_base_models
from app.base_models.schemas import BaseModelDocument
from app.caller import Caller, Reader, Writer
from app.datasets import service as datasets
from app.datasets.schemas import DatasetDocument
from app.http.errors import ApiError, from_pouf_error
from app.http.json_bodies import Draft, validate
from app.jobs import service
from app.jobs.estimates import expected_seconds
from app.jobs.schemas import JobCreate
from app.pages.class_lists import parse_class_list, parse_templates
from app.pages.rendering import redirect, render
from app.trials.service import Trial, try_classes
from pouf_core.errors import PoufError

router = APIRouter()

_NO_ALIAS = re.compile(r"[^A-Za-z0-9._-]+")
LONGEST_ALIAS = 63
#: Of the form, those that a trial depends on.
TRIED = ("dataset_id", "class_names", "base_model", "prompt_template")


@router.get("/jobs/new")
def show_form(request: Request, dataset: str, caller: Reader) -> HTMLResponse:
    """Return the form for a job over the dataset."""
    document = datasets.read(caller, dataset)
    models = [model for model in list_base_models(caller).data if _suits(model, document)]
    chosen = next((model.name for model in models if model.default), models[0].name if models else "")
    return render(
        request,
        "new_job.html.jinja",
        dataset=document,
        base_models=models,
        chosen=chosen,
        costs=_costs(caller, chosen, document),
        alias=_alias_for(document.name),
    )


@router.post("/jobs")
async def create_job(request: Request, caller: Writer) -> HTMLResponse:
    """Create the job."""
    form = await request.form()
    job_id = await run_in_threadpool(_create, caller, form)
    return redirect(request, f"/jobs/{job_id}")


@router.post("/jobs/trial")
async def try_form(request: Request, caller: Writer) -> HTMLResponse:
    """Return the part of the page with what the base model says of a sample by the classes so far.

    Whatever is still wrong with them is said there, too: somebody is typing.
    """
    form = await request.form()
    given = {name: form[name] for name in TRIED if name in form}
    found, problem = await _tried(request, caller, given)
    return await run_in_threadpool(_show_trial, request, caller, given, found, problem)


async def _tried(request: Request, caller: Caller, given: Mapping[str, object]) -> tuple[Trial | None, ApiError | None]:
    try:
        return await try_classes(request, caller, await run_in_threadpool(_body, given)), None
    except ApiError as error:
        return None, error
    except PoufError as error:
        return None, from_pouf_error(error)


def _show_trial(
    request: Request, caller: Caller, given: Mapping[str, object], found: Trial | None, problem: ApiError | None
) -> HTMLResponse:
    document = datasets.read(caller, str(given.get("dataset_id", "")))
    costs = _costs(caller, str(given.get("base_model", "")), document)
    return render(request, "trial.html.jinja", trial=found, problem=problem, dataset=document, costs=costs)


def _create(caller: Caller, form: FormData) -> str:
    return service.create(caller, Draft(_body(dict(form))), lambda session, document: None).id


def _body(form: Mapping[str, object]) -> JobCreate:
    values = {name: value for name, value in form.items() if value != ""}
    values["class_names"] = parse_class_list(str(values.get("class_names", "")))
    if "prompt_template" in values:
        values["prompt_template"] = parse_templates(str(values["prompt_template"]))
    return validate(JobCreate, values)


def _costs(caller: Caller, base_model: str, dataset: DatasetDocument) -> dict[str, str]:
    """Return about how long a job will run, in words, by quality; without those of which nothing is known."""
    with caller.state.database.read() as session:
        found = expected_seconds(caller.scope(session), base_model, dataset.item_count)
    return {quality: duration_in_words(seconds) for quality, seconds in found.items()}


def duration_in_words(seconds: float) -> str:
    """Return about how long that is."""
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * length:
            return f"about {round(seconds / length)} {unit}s"
    return f"about {max(1, round(seconds))} second{'' if round(seconds) <= 1 else 's'}"


def _suits(model: BaseModelDocument, dataset: DatasetDocument) -> bool:
    """Tell whether a person may choose it here: language models need templates, which the API takes."""
    return model.modality == dataset.modality and not model.takes_label_words


def _alias_for(name: str | None) -> str:
    """Return a name to serve the model under, made of the dataset's."""
    plain = "".join(char for char in normalize("NFKD", name or "") if not combining(char))  # without accents
    return _NO_ALIAS.sub("-", plain).lower()[:LONGEST_ALIAS].strip("-._")
