"""`/v1/webhooks`: URLs that job transitions are sent to, and the messages to them."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.caller import Reader, Writer
from app.http.answers import LOCATION, answers
from app.http.idempotency import IdempotencyKeyHeader, Replayed, idempotent, respond
from app.http.idempotency_keys import Answer
from app.http.query_parameters import PageQuery
from app.http.schemas import ListDocument
from app.webhooks import service
from app.webhooks.schemas import (
    CreatedWebhookDocument,
    DeliveryDocument,
    DeliveryListQuery,
    WebhookCreate,
    WebhookDocument,
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
    return service.list_webhooks(caller, query)


@router.get("/{webhook_id}")
def get_webhook(webhook_id: str, caller: Reader) -> WebhookDocument:
    """Return one webhook."""
    return service.read(caller, webhook_id)


@router.delete("/{webhook_id}", status_code=204)
def delete_webhook(webhook_id: str, caller: Writer) -> None:
    """Delete a webhook; nothing more is sent to it."""
    service.delete(caller, webhook_id)


@router.post("/{webhook_id}/test", status_code=202)
def test_webhook(webhook_id: str, caller: Writer) -> DeliveryDocument:
    """Send a message of the type `webhook.test`, signed like the others, to show whether they arrive."""
    return service.test(caller, webhook_id)


@router.get("/{webhook_id}/deliveries")
def list_deliveries(
    webhook_id: str, caller: Reader, query: Annotated[DeliveryListQuery, Query()]
) -> ListDocument[DeliveryDocument]:
    """List the messages to a webhook, newest first, with their results."""
    return service.list_deliveries(caller, webhook_id, query)


@router.post("/{webhook_id}/deliveries/{delivery_id}/redeliver", status_code=202)
def redeliver(webhook_id: str, delivery_id: str, caller: Writer) -> DeliveryDocument:
    """Send a message again now, whatever its result was."""
    return service.redeliver(caller, webhook_id, delivery_id)
