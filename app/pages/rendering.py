"""Templates, and what every page shows. Whatever users named passes through Jinja's autoescape."""

from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from app.auth.identity import Identity

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
STATUS_WORDS = {
    "uploading": "being uploaded",
    "ingesting": "being read",
    "pausing": "about to pause",
    "cancelling": "about to stop",
    "succeeded": "finished",
}


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


def _percent(share: float | None) -> str:
    """Return the share as a percentage that is not broken across lines; nothing is minus zero."""
    return "–" if share is None else f"{round(100 * share, 1) + 0.0:.1f}\u00a0%"


def _number(value: int) -> str:
    return f"{value:,}"


def _size(count: int) -> str:
    value = float(count)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.3g} GB"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _status(status: str) -> str:
    return STATUS_WORDS.get(status, status)


def _basename(name: str) -> str:
    return name.rpartition("/")[2] or name


_ENVIRONMENT.filters |= {
    "basename": _basename,
    "number": _number,
    "percent": _percent,
    "size": _size,
    "status": _status,
    "time": _time,
}
