"""`/guide`: the documentation, as `make guide` built it into this package."""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse
from starlette.staticfiles import StaticFiles

from app.pages.rendering import render

router = APIRouter()

BUILT = Path(__file__).parent / "built_guide"


@router.get("/guide")
@router.get("/guide/")
def get_guide() -> RedirectResponse:
    """Lead to its first page."""
    return RedirectResponse("/guide/index.html")


@router.get("/guide/{path:path}")
async def get_guide_page(request: Request, path: str) -> Response:
    """Return a file, or 304 to browsers that have it as it is; where no guide was built, a page that says how to."""
    if not BUILT.is_dir():
        return render(request, "guide_missing.html.jinja", 404)
    answer = await StaticFiles(directory=BUILT).get_response(path, request.scope)
    answer.headers["Cache-Control"] = "no-cache"
    return answer
