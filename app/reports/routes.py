"""`/v1/jobs/{job_id}/report`: one page about a job, from what several resources know of it."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse

from app.audits import service as audits
from app.audits.schemas import AuditListQuery
from app.caller import Caller, Reader
from app.datasets import pictures
from app.http.budgets import holding_of
from app.http.errors import ApiError
from app.jobs import service as jobs
from app.jobs.metrics import numbers_by_step
from app.jobs.predictions import mistakes_of, some_items_of, summary_of
from app.serving.thumbnails import MEDIA_TYPE
from app.web.judgement import Fields
from app.web.predictions import ShownItem
from app.web.report import ReportParts, render_report
from pouf_core.errors import InvalidInput

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

MOST_AUDITS = 10
#: Reports look as pages do.
_STYLE = Path(__file__).parents[1] / "pages" / "assets" / "app.css"


@router.get("/{job_id}/report", response_class=HTMLResponse)
async def get_report(request: Request, job_id: str, caller: Reader) -> str:
    """Return one self-contained page about the job."""
    job, parts = await run_in_threadpool(_collected, caller, job_id)
    if parts.predictions is not None:
        shown = [*parts.examples, *parts.predictions.most_changed]
        parts = replace(parts, pictures=await _pictures(request, caller, job["dataset_id"], shown))
    return await run_in_threadpool(render_report, job, parts)


def _collected(caller: Caller, job_id: str) -> tuple[Fields, ReportParts]:
    job = jobs.read(caller, job_id).model_dump(mode="json")
    found = audits.list_audits(caller, job_id, AuditListQuery(limit=MOST_AUDITS))
    return job, ReportParts(
        metrics=numbers_by_step(caller, job_id),
        predictions=summary_of(caller, job_id),
        examples=some_items_of(caller, job_id),
        confusion=mistakes_of(caller, job_id) if job["evaluation"] else None,
        audits=[one.model_dump(mode="json") for one in found.data],
        style=_style(),
    )


async def _pictures(request: Request, caller: Caller, dataset_id: str, shown: Sequence[ShownItem]) -> dict[str, str]:
    """Return the addresses that hold the pictures of the shown items, by content hash; of texts there are none."""
    found: dict[str, str] = {}
    for item in shown:
        if item.text is not None or item.sha256 in found:
            continue
        try:
            content = await pictures.thumbnail(caller, dataset_id, item.sha256, holding_of(request))
        except (ApiError, InvalidInput):  # deleted, no dataset of pictures, or too many wait: the report has the rest
            break
        found[item.sha256] = f"data:{MEDIA_TYPE};base64,{b64encode(content).decode()}"
    return found


@lru_cache(maxsize=1)
def _style() -> str:
    return _STYLE.read_text(encoding="utf-8")
