"""`/docs`: the reference of the API, by Swagger UI from this package."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from app.pages.rendering import render

router = APIRouter()


@router.get("/docs")
def get_reference(request: Request) -> HTMLResponse:
    """Return the page that draws `/openapi.json`."""
    return render(request, "reference.html.jinja")
