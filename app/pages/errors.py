"""Errors as people see them."""

from http import HTTPStatus
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app.http.errors import ApiError, in_words
from app.pages.rendering import render

SIGN_IN = "/sign-in"


def error_page(request: Request, error: ApiError) -> Response:
    """Return the page about `error`, or where to sign in; where a script asked, a message for the page it is in."""
    from_script = "hx-request" in request.headers
    if error.status == 401 and request.url.path != SIGN_IN:
        return _to_sign_in(request, from_script)
    template = "error_message.html.jinja" if from_script else "error.html.jinja"
    title = HTTPStatus(error.status).phrase
    values = {"error": error, "said": in_words(error), "title": title, "request_id": request.scope["request_id"]}
    answer = render(request, template, error.status, **values)
    answer.headers.update(error.headers)
    if from_script:
        answer.headers.update({"HX-Retarget": "#message", "HX-Reswap": "innerHTML", "HX-Reselect": "unset"})
    return answer


def _to_sign_in(request: Request, from_script: bool) -> Response:
    if from_script:
        place = urlsplit(request.headers.get("hx-current-url", ""))
        return HTMLResponse(status_code=401, headers={"HX-Redirect": _sign_in(place.path, place.query)})
    return HTMLResponse(status_code=303, headers={"Location": _sign_in(request.url.path, request.url.query)})


def _sign_in(path: str, query: str) -> str:
    then = f"{path}?{query}" if query else path
    return f"{SIGN_IN}?next={quote(then)}"
