"""Jobs: what is under way, and what came of it."""

from typing import Literal

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from app.audits import service as audits
from app.audits.schemas import AuditListQuery
from app.caller import Caller, Reader, Writer
from app.http.json_bodies import validate
from app.jobs import service
from app.jobs.metrics import numbers_by_step
from app.jobs.predictions import summary_of
from app.jobs.schemas import JobDocument, JobListQuery, JobSummaryDocument
from app.pages.item_pictures import dataset_of, pictures_of
from app.pages.rendering import redirect, render
from app.web.judgement import judgement_of
from app.web.report import step_charts

router = APIRouter()

STAGES = {
    "waiting_for_dataset": "Waiting until the dataset has been read",
    "waiting_for_memory": "Waiting for a worker with enough memory",
    "loading_base": "Loading the base model",
    "encoding": "Encoding the items",
    "encoding_views": "Encoding other views of the items, to train on and to check by",
    "training": "Adapting to the items",
    "evaluating": "Checking whether it helped",
    "exporting": "Saving the model",
}
ACTIONS = {"cancel": service.cancel, "pause": service.pause, "resume": service.resume, "retry": service.retry}
POSSIBLE = {
    "queued": ("pause", "cancel"),
    "running": ("pause", "cancel"),
    "pausing": ("cancel",),
    "paused": ("resume", "cancel"),
    "failed": ("retry",),
    "cancelled": ("retry",),
}


@router.get("/jobs")
def list_jobs(request: Request, caller: Reader, cursor: str | None = None) -> HTMLResponse:
    """Return the list, newest first."""
    query = validate(JobListQuery, {"cursor": cursor})
    return render(request, "jobs.html.jinja", page=service.list_jobs(caller, query))


@router.get("/jobs/{job_id}")
def show_job(request: Request, job_id: str, caller: Reader) -> HTMLResponse:
    """Return how far the job is, or what came of it."""
    document = service.read(caller, job_id)
    job = document.model_dump(mode="json")
    dataset = dataset_of(caller, document.dataset_id)
    outcome = summary_of(caller, job_id) if "predictions" in document.urls else None
    reviews = audits.list_audits(caller, job_id, AuditListQuery(limit=20)).data
    return render(
        request,
        "job.html.jinja",
        job=job,
        times=document,
        stage=STAGES.get(document.stage or ""),
        actions=POSSIBLE.get(document.status, ()),
        is_final=service.is_final(document),
        judged=judgement_of(job, [one.model_dump(mode="json") for one in reviews], outcome),
        dataset=dataset,
        picture_of=pictures_of(dataset),
        outcome=outcome,
        reviews=reviews,
        others=_others(caller, document),
        charts=step_charts(numbers_by_step(caller, job_id), document.selected_step, ["loss"]),
    )


@router.post("/jobs/{job_id}/delete")
def delete_job(request: Request, job_id: str, caller: Writer) -> HTMLResponse:
    """Delete the finished job; its model stays."""
    service.delete(caller, job_id)
    return redirect(request, "/jobs")


@router.post("/jobs/{job_id}/{action}")
def change_job(
    request: Request, job_id: str, action: Literal["cancel", "pause", "resume", "retry"], caller: Writer
) -> HTMLResponse:
    """Cancel, pause, resume or retry the job."""
    ACTIONS[action](caller, job_id)
    return redirect(request, f"/jobs/{job_id}")


def _others(caller: Caller, job: JobDocument) -> list[JobSummaryDocument]:
    """Return other jobs that it can be compared with: over its dataset, with predictions like itself."""
    if "predictions" not in job.urls:
        return []
    query = JobListQuery(dataset_id=job.dataset_id, status="succeeded", limit=20)
    found = service.list_jobs(caller, query).data
    return [other for other in found if other.id != job.id and "predictions" in other.urls]
