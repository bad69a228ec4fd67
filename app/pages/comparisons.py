"""Two jobs over one dataset, side by side."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from app.caller import Reader
from app.comparisons.schemas import ComparisonQuery
from app.comparisons.service import compare_jobs
from app.http.json_bodies import validate
from app.jobs import service as jobs
from app.pages.item_pictures import dataset_of, pictures_of
from app.pages.rendering import render

router = APIRouter()

ITEMS_SHOWN = 24


@router.get("/jobs/compare")
def compare(request: Request, caller: Reader, first: str, second: str, cursor: str | None = None) -> HTMLResponse:
    """Return where two jobs agree, and the items of which they say different classes."""
    query = validate(ComparisonQuery, {"jobs": f"{first},{second}", "cursor": cursor, "limit": ITEMS_SHOWN})
    found = compare_jobs(caller, query)
    dataset = dataset_of(caller, found.dataset_id)
    return render(
        request,
        "comparison.html.jinja",
        found=found,
        jobs=[jobs.read(caller, one.id) for one in found.jobs],
        dataset=dataset,
        picture_of=pictures_of(dataset),
        place=f"/jobs/compare?first={found.jobs[0].id}&second={found.jobs[1].id}",
    )
