"""Pages from templates, and where a browser goes next."""

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from app.auth.identity import Identity
from app.web.templating import environment

_ENVIRONMENT = environment(Path(__file__).parent / "templates")


def render(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page for whoever sent `request`; `values` are what its template names."""
    identity: Identity | None = request.scope.get("identity")
    text = _ENVIRONMENT.get_template(template).render(
        path=request.url.path,
        page_token=None if identity is None else identity.page_token,
        **values,
    )
    return HTMLResponse(text, status)


def redirect(request: Request, path: str) -> HTMLResponse:
    """Send the browser to another page, whether a script asked or a form."""
    if "hx-request" in request.headers:
        return HTMLResponse(headers={"HX-Redirect": path})
    return HTMLResponse(status_code=303, headers={"Location": path})
