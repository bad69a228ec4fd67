"""API keys: made, with what they may do, and revoked, by whoever runs the service."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request
from pydantic import Field
from starlette.responses import HTMLResponse

from app.auth.identity import Identity, KeyScope
from app.caller import Admin
from app.http.errors import not_found
from app.http.json_bodies import validate
from app.http.query_parameters import PageQuery
from app.http.schemas import Closed
from app.keys import service
from app.keys.grants import granted, require_admin_first
from app.keys.schemas import KEY_NAME, OWNER
from app.keys.service import NewKey, NoSuchKey
from app.pages.rendering import redirect, render
from store.clock import utcnow

router = APIRouter()

SCOPES = {
    KeyScope.READ: "look at datasets, jobs, models and predictions",
    KeyScope.WRITE: "upload, start jobs, review, name and delete",
    KeyScope.PREDICT: "call models",
    KeyScope.ADMIN: "all of that, keys and the service itself",
}


class KeyForm(Closed):
    """A key to make."""

    name: KEY_NAME
    owner: OWNER
    scopes: Annotated[list[KeyScope], Field(min_length=1)]
    days: Annotated[int | None, Field(ge=1, le=3650)] = None


@router.get("/keys")
def list_keys(request: Request, caller: Admin, cursor: str | None = None) -> HTMLResponse:
    """Return the keys of all owners, newest first, and the form for another."""
    query = validate(PageQuery, {"cursor": cursor})
    found = service.list_page(caller.state.database, query)
    return render(
        request,
        "keys.html.jinja",
        page=found,
        is_first=cursor is None and not found.data,
        scopes=SCOPES,
        owner=caller.owner,
        now=utcnow(),
    )


@router.post("/keys")
def create_key(
    request: Request,
    caller: Admin,
    name: Annotated[str, Form()] = "",
    owner: Annotated[str, Form()] = "",
    scopes: Annotated[list[str] | None, Form()] = None,
    days: Annotated[str, Form()] = "",
) -> HTMLResponse:
    """Make a key, and return the part of the page that shows it, once."""
    form = validate(KeyForm, {"name": name, "owner": owner, "scopes": scopes or [], "days": days or None})
    is_first = require_admin_first(caller.state.database, form.scopes)
    expires_at = None if form.days is None else utcnow() + timedelta(days=form.days)
    maker: Identity = request.scope["identity"]
    wanted = granted(maker, NewKey(form.owner, form.name, form.scopes, expires_at))
    key, text = service.create(caller.state.settings, caller.state.database, wanted, by=maker.named)
    return render(request, "key_made.html.jinja", key=key, text=text, is_first=is_first)


@router.post("/keys/{key_id}/revoke")
def revoke_key(request: Request, key_id: str, caller: Admin) -> HTMLResponse:
    """Revoke a key; browsers that were signed in by it are signed out."""
    maker: Identity = request.scope["identity"]
    try:
        service.revoke(caller.state.database, key_id, by=maker.named)
    except NoSuchKey as error:
        raise not_found("key", key_id) from error
    return redirect(request, "/keys")
