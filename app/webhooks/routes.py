"""`/v1/webhooks`: URLs that job transitions are sent to, and the messages to them."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.caller import Reader, Writer
from app.http.answers import LOCATION, answers
from app.http.idempotency import IdempotencyKeyHeader, Replayed, idempotent, respond
from app.http.idempotency_keys import Answer
from app.http.query_parameters import PageQuery, decode_cursor, page
from app.http.schemas import ListDocument
from app.webhooks import queries as repository
from app.webhooks import service
from app.webhooks.schemas import (
    CreatedWebhookDocument,
    DeliveryDocument,
    DeliveryListQuery,
    WebhookCreate,
    WebhookDocument,
    show_delivery,
    show_webhook,
)

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])


@router.post("", status_code=201, responses=answers(CreatedWebhookDocument, 201, LOCATION))
def create_webhook(body: WebhookCreate, caller: Writer, idempotency_key: IdempotencyKeyHeader = None) -> Response:
    """Create a webhook; the answer alone holds its `secret`."""
    try:
        with idempotent(caller.keys, idempotency_key, "POST /v1/webhooks", body.model_dump(mode="json")) as store:
            document = service.create(caller, body, lambda session, shown: store(session, _created(shown)))
    except Replayed as replayed:
        return respond(replayed.answer, replayed=True)
    return respond(_created(document))


def _created(document: CreatedWebhookDocument) -> Answer:
    return Answer.of(201, document, {"Location": document.urls["self"]})


@router.get("")
def list_webhooks(caller: Reader, query: Annotated[PageQuery, Query()]) -> ListDocument[WebhookDocument]:
    """List webhooks, newest first."""
    with caller.state.database.read() as session:
        rows = repository.list_webhooks(caller.scope(session), decode_cursor(query.cursor), query.limit + 1)
    return page(rows, query.limit, show_webhook, lambda row: row.id)


@router.get("/{webhook_id}")
def get_webhook(webhook_id: str, caller: Reader) -> WebhookDocument:
    """Return one webhook."""
    with caller.state.database.read() as session:
        return show_webhook(service.get(caller.scope(session), webhook_id))


@router.delete("/{webhook_id}", status_code=204)
def delete_webhook(webhook_id: str, caller: Writer) -> None:
    """Delete a webhook; nothing more is sent to it."""
    service.delete(caller, webhook_id)


@router.get("/{webhook_id}/deliveries")
def list_deliveries(
    webhook_id: str, caller: Reader, query: Annotated[DeliveryListQuery, Query()]
) -> ListDocument[DeliveryDocument]:
    """List what was sent or is to be sent, newest first, with what became of it."""
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        service.get(scope, webhook_id)
        after = decode_cursor(query.cursor)
        rows = repository.list_deliveries(scope, webhook_id, query.status, after, query.limit + 1)
    return page(rows, query.limit, show_delivery, lambda row: row.id)


@router.post("/{webhook_id}/deliveries/{delivery_id}/redeliver", status_code=202)
def redeliver(webhook_id: str, delivery_id: str, caller: Writer) -> DeliveryDocument:
    """Send a message again, now, whatever became of it before."""
    return service.redeliver(caller, webhook_id, delivery_id)
