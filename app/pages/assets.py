"""`/assets`: scripts and styles, from this package alone."""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.staticfiles import StaticFiles

router = APIRouter()

_FILES = StaticFiles(directory=Path(__file__).parent / "assets")


@router.get("/assets/{path:path}")
async def get_asset(request: Request, path: str) -> Response:
    """Return a file, or 304 to browsers that have it as it is."""
    answer = await _FILES.get_response(path, request.scope)
    answer.headers["Cache-Control"] = "no-cache"
    return answer
