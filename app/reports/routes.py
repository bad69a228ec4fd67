"""`/v1/jobs/{job_id}/report`: one page about a job, from what several resources know of it."""

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from app.audits import service as audits
from app.audits.schemas import AuditListQuery
from app.caller import Caller, Reader
from app.jobs import queries as jobs_repository
from app.jobs import service as jobs
from app.jobs.predictions import summary_of
from app.jobs.schemas import show_metric
from app.web.report import render_report

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

MOST_AUDITS = 10


@router.get("/{job_id}/report", response_class=HTMLResponse)
def get_report(job_id: str, caller: Reader) -> str:
    """Return one self-contained page about the job."""
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        document = jobs.show(scope, [jobs.get(scope, job_id)])[0]
        metrics = [show_metric(row) for row in jobs_repository.list_metrics(scope, job_id, -1, None)]
    numbers = [row.model_dump(mode="json") for row in metrics]
    return render_report(document.model_dump(mode="json"), numbers, summary_of(caller, job_id), _audits(caller, job_id))


def _audits(caller: Caller, job_id: str) -> list[dict[str, object]]:
    found = audits.list_audits(caller, job_id, AuditListQuery(limit=MOST_AUDITS))
    return [one.model_dump(mode="json") for one in found.data]
