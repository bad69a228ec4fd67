"""Signing in by an API key, and out."""

import re
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import HTMLResponse

from app.auth import sessions
from app.auth.authentication import HOW_TO_MAKE_A_KEY, Authenticator
from app.http.errors import ApiError
from app.pages.rendering import redirect, render

router = APIRouter()

# a path of this service: neither another one's address, nor what browsers read as one
_OWN_PATH = re.compile(r"/(?![/\\])[\x21-\x7e]{0,500}", re.ASCII)


@router.get("/sign-in")
def show_form(request: Request, next: str = "/") -> HTMLResponse:
    """Return the form; without keys there is nothing to sign in to."""
    if not _authenticator(request).keys_needed():
        return redirect(request, "/")
    return _form(request, _own(next), None)


@router.post("/sign-in")
def sign_in(
    request: Request,
    key: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str, Form(max_length=600)] = "/",
) -> Response:
    """Keep the browser signed in by a cookie that scripts cannot read and other sites' pages do not send."""
    address = request.client.host if request.client else ""
    try:
        session_id = _authenticator(request).sign_in(key.strip(), request.headers, address)
    except ApiError as error:
        return _form(request, _own(next), error)
    answer = redirect(request, _own(next))
    answer.set_cookie(
        sessions.COOKIE,
        session_id,
        max_age=int(sessions.LIFETIME.total_seconds()),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """End the browser's session."""
    _authenticator(request).sign_out(request.headers)
    answer = redirect(request, "/sign-in")
    answer.delete_cookie(sessions.COOKIE, httponly=True, samesite="strict")
    return answer


def _form(request: Request, then: str, error: ApiError | None) -> HTMLResponse:
    answer = render(
        request,
        "sign_in.html.jinja",
        status=200 if error is None else error.status,
        then=then,
        error=error,
        how_to_make_a_key=HOW_TO_MAKE_A_KEY,
    )
    answer.headers.update({} if error is None else error.headers)
    return answer


def _own(path: str) -> str:
    return path if _OWN_PATH.fullmatch(path) else "/"


def _authenticator(request: Request) -> Authenticator:
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator
