"""Models: tried, named, downloaded, called."""

from typing import Annotated

from fastapi import APIRouter, File, Form, Path, Request, UploadFile
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse

from app.audits import service as audits
from app.audits.schemas import AuditListQuery
from app.caller import Caller, Predictor, Reader, Writer
from app.http.budgets import holding_of
from app.http.errors import ApiError, invalid
from app.http.json_bodies import validate
from app.http.schemas import ALIAS_NAME, Closed
from app.jobs.predictions import answered_from, predictions_of, summary_of
from app.models import service
from app.models.schemas import ModelListQuery
from app.pages.item_pictures import dataset_of, pictures_of
from app.pages.rendering import redirect, render
from app.predicted.planes import item_at, map_of
from app.predictions.schemas import PredictInput, PredictOptions
from app.predictions.service import Input, input_of, predict
from app.web.answers import answers_of
from app.web.judgement import Fields, judgement_of
from app.web.report import sureness_chart
from pouf_core.contract.exports import ExportFormat
from pouf_core.errors import InvalidInput
from pouf_core.exports.formats import formats_of
from pouf_core.families.registry import describe

router = APIRouter()

CLASSES_SHOWN = 5
FORMATS: dict[ExportFormat, str] = {
    "numpy": "NumPy arrays",
    "onnx": "ONNX",
    "open_clip": "open_clip",
    "huggingface": "Hugging Face",
}


class AliasForm(Closed):
    """A name to serve a model under."""

    alias: ALIAS_NAME


@router.get("/models")
def list_models(request: Request, caller: Reader, cursor: str | None = None) -> HTMLResponse:
    """Return the list, newest first."""
    query = validate(ModelListQuery, {"cursor": cursor})
    return render(request, "models.html.jinja", page=service.list_models(caller, query))


@router.get("/models/{model_id}")
def show_model(request: Request, model_id: str, caller: Reader) -> HTMLResponse:
    """Return what the model is worth, and how to use it."""
    document = service.read(caller, model_id)
    model = document.model_dump(mode="json")
    outcome = summary_of(caller, document.job_id)
    dataset = None if outcome is None else dataset_of(caller, outcome.dataset_id)
    return render(
        request,
        "model.html.jinja",
        model=model,
        created_at=document.created_at,
        modality=_modality_of(document.base_model),
        judged=judgement_of(model, _audits(caller, document.job_id), outcome),
        outcome=outcome,
        picture_of=pictures_of(dataset),
        sure_chart=None if outcome is None else sureness_chart(outcome),
        answers=answers_of(model),
        formats=_formats_of(document.base_model),
        address=str(request.base_url).rstrip("/"),
    )


@router.get("/models/{model_id}/threshold")
def show_threshold(request: Request, model_id: str, caller: Reader, place: int = 0) -> HTMLResponse:
    """Return the part of the page with what one of the thresholds gives."""
    document = service.read(caller, model_id)
    answers = answers_of(document.model_dump(mode="json", include={"abstention", "fallback"}), max(place, 0))
    counted = None if answers is None else answered_from(caller, document.job_id, answers.point["threshold"])
    return render(request, "threshold.html.jinja", answers=answers, counted=counted)


@router.get("/models/{model_id}/map")
def show_map(request: Request, model_id: str, caller: Reader) -> HTMLResponse:
    """Return the part of the page with the map of the items; as long as it is being made, one that asks again."""
    predictions = predictions_of(caller, service.read(caller, model_id).job_id)
    return render(request, "map.html.jinja", found=map_of(caller, predictions), model_id=model_id)


@router.get("/models/{model_id}/map/{place}")
def show_mapped(request: Request, model_id: str, place: Annotated[int, Path(ge=0)], caller: Reader) -> HTMLResponse:
    """Return the part of the page with one item of the map."""
    predictions = predictions_of(caller, service.read(caller, model_id).job_id)
    item = item_at(caller, predictions, place)
    picture_of = pictures_of(dataset_of(caller, predictions.dataset_id))
    return render(request, "mapped.html.jinja", item=item, picture=picture_of(item) if item else None)


@router.post("/models/{model_id}/alias")
def put_alias(request: Request, model_id: str, caller: Writer, alias: Annotated[str, Form()] = "") -> HTMLResponse:
    """Serve the model under a name, too; another model that had the name gives it up."""
    service.put_alias(caller, validate(AliasForm, {"alias": alias}).alias, model_id)
    return redirect(request, f"/models/{model_id}")


@router.post("/models/{model_id}/alias/delete")
def delete_alias(request: Request, model_id: str, caller: Writer, alias: Annotated[str, Form()] = "") -> HTMLResponse:
    """Take a name away from the model, which stays; a name that another model has by now is left alone."""
    service.delete_alias(caller, validate(AliasForm, {"alias": alias}).alias, model_id)
    return redirect(request, f"/models/{model_id}")


@router.post("/models/{model_id}/try")
async def try_model(
    request: Request,
    model_id: str,
    caller: Predictor,
    picture: Annotated[UploadFile | None, File()] = None,
    text: Annotated[str, Form()] = "",
    text_pair: Annotated[str, Form()] = "",
) -> HTMLResponse:
    """Return the part of the page with the classes of one picture, text or pair."""
    tried = await _input(request, picture, text, text_pair)
    answer = await predict(request, caller, model_id, [tried], PredictOptions(top_k=CLASSES_SHOWN))
    return await run_in_threadpool(render, request, "tried.html.jinja", answer=answer)


async def _input(request: Request, picture: UploadFile | None, text: str, text_pair: str) -> Input:
    if picture is not None and picture.size:
        holding_of(request).take_memory(picture.size)
        return Input(await picture.read())
    if not text.strip():
        raise invalid("empty_input", "Choose a picture, or write a text.", "/inputs/0")
    return input_of(validate(PredictInput, {"text": text, "text_pair": text_pair or None}))


def _formats_of(base_model: str) -> list[tuple[str, str]]:
    """Return the forms in which the model can be had, with their labels."""
    try:
        return [(each, FORMATS[each]) for each in formats_of(base_model)]
    except InvalidInput:
        return []


def _modality_of(base_model: str) -> str | None:
    """Return what the base model takes; None where it is not known here any more."""
    try:
        return describe(base_model).modality
    except InvalidInput:
        return None


def _audits(caller: Caller, job_id: str) -> list[Fields]:
    """Return the reviews of the job's items, newest first, unless it was deleted."""
    try:
        found = audits.list_audits(caller, job_id, AuditListQuery(limit=1)).data
    except ApiError:
        return []
    return [one.model_dump(mode="json") for one in found]
