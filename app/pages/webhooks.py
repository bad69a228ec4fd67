"""Webhooks: URLs that are told how jobs end, with a call to try them by."""

from typing import Annotated, get_args

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse

from app.caller import Reader, Writer
from app.http.json_bodies import validate
from app.http.query_parameters import PageQuery
from app.pages.rendering import redirect, render
from app.webhooks import service
from app.webhooks.schemas import FINAL_EVENTS, DeliveryListQuery, EventType, WebhookCreate

router = APIRouter()

DELIVERIES_SHOWN = 20


@router.get("/webhooks")
def list_webhooks(request: Request, caller: Reader) -> HTMLResponse:
    """Return them all, newest first, and the form for another."""
    found = service.list_webhooks(caller, PageQuery(limit=service.MAX_WEBHOOKS)).data
    return render(request, "webhooks.html.jinja", webhooks=found, events=get_args(EventType), usual=FINAL_EVENTS)


@router.post("/webhooks")
def create_webhook(
    request: Request,
    caller: Writer,
    url: Annotated[str, Form()] = "",
    event_types: Annotated[list[str] | None, Form()] = None,
) -> HTMLResponse:
    """Create a webhook, and return the part of the page that shows its secret, once."""
    body = validate(WebhookCreate, {"url": url, "event_types": event_types or []})
    made = service.create(caller, body, lambda session, document: None)
    return render(request, "webhook_made.html.jinja", webhook=made)


@router.get("/webhooks/{webhook_id}")
def show_webhook(request: Request, webhook_id: str, caller: Reader, cursor: str | None = None) -> HTMLResponse:
    """Return the messages to a webhook, and what became of them."""
    query = validate(DeliveryListQuery, {"cursor": cursor, "limit": DELIVERIES_SHOWN})
    return render(
        request,
        "webhook.html.jinja",
        webhook=service.read(caller, webhook_id),
        page=service.list_deliveries(caller, webhook_id, query),
    )


@router.post("/webhooks/{webhook_id}/test")
def call_webhook(request: Request, webhook_id: str, caller: Writer) -> HTMLResponse:
    """Send it a message that is about no job."""
    service.test(caller, webhook_id)
    return redirect(request, f"/webhooks/{webhook_id}")


@router.post("/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver")
def redeliver(request: Request, webhook_id: str, delivery_id: str, caller: Writer) -> HTMLResponse:
    """Send a message again."""
    service.redeliver(caller, webhook_id, delivery_id)
    return redirect(request, f"/webhooks/{webhook_id}")


@router.post("/webhooks/{webhook_id}/delete")
def delete_webhook(request: Request, webhook_id: str, caller: Writer) -> HTMLResponse:
    """Delete a webhook."""
    service.delete(caller, webhook_id)
    return redirect(request, "/webhooks")
