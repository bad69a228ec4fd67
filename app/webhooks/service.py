"""Webhooks: created, deleted, and their messages sent again."""

import base64
import secrets
from collections.abc import Callable

from sqlalchemy.orm import Session

from app.auth import quotas
from app.caller import Caller
from app.http.errors import conflict, invalid, not_found
from app.http.query_parameters import PageQuery, decode_cursor, page
from app.http.schemas import ListDocument
from app.webhooks import queries as repository
from app.webhooks.schemas import (
    CreatedWebhookDocument,
    DeliveryDocument,
    DeliveryListQuery,
    WebhookCreate,
    WebhookDocument,
    show_delivery,
    show_webhook,
)
from store import webhook_messages as webhooks
from store.clock import utcnow
from store.ids import new_id
from store.reserve import freeing
from store.scope import Scope
from store.tables import Webhook, WebhookDelivery
from store.usage import BYTES_BESIDE, BYTES_BESIDE_BODY
from store.webhook_targets import TargetRefused, check_url

OnCreated = Callable[[Session, CreatedWebhookDocument], None]

MAX_WEBHOOKS = 20
SECRET_BYTES = 32


def create(caller: Caller, body: WebhookCreate, on_created: OnCreated) -> CreatedWebhookDocument:
    """Create a webhook and return its document with the secret, which no other answer holds.

    Raises 422 ``webhook_target_refused``, 409 ``too_many_webhooks``, or 429 ``database_bytes_limit``.
    """
    try:
        check_url(body.url, caller.state.settings.webhook_networks)
    except TargetRefused as error:
        raise invalid("webhook_target_refused", str(error), "/url") from error
    hook = Webhook(
        id=new_id("whk"),
        owner=caller.owner,
        url=body.url,
        event_types=list(body.event_types),
        secret=f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}",
    )
    with caller.state.database.write() as session:
        scope = caller.scope(session)
        scope.lock("webhooks")
        if repository.count_webhooks(scope) >= MAX_WEBHOOKS:
            raise conflict("too_many_webhooks", f"There are {MAX_WEBHOOKS} webhooks; delete one first.")
        quotas.require_room_in_database(caller.limits, scope, BYTES_BESIDE)
        session.add(hook)
        session.flush()
        document = CreatedWebhookDocument(**dict(show_webhook(hook)), secret=hook.secret)
        on_created(session, document)
    return document


def list_webhooks(caller: Caller, query: PageQuery) -> ListDocument[WebhookDocument]:
    """Return a page of webhooks, newest first."""
    with caller.state.database.read() as session:
        rows = repository.list_webhooks(caller.scope(session), decode_cursor(query.cursor), query.limit + 1)
    return page(rows, query.limit, show_webhook, lambda row: row.id)


def read(caller: Caller, webhook_id: str) -> WebhookDocument:
    """Return the webhook's document; raises 404 ``webhook_not_found``."""
    with caller.state.database.read() as session:
        return show_webhook(get(caller.scope(session), webhook_id))


def list_deliveries(caller: Caller, webhook_id: str, query: DeliveryListQuery) -> ListDocument[DeliveryDocument]:
    """Return a page of the messages to a webhook, newest first; raises 404 ``webhook_not_found``."""
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        get(scope, webhook_id)
        after = decode_cursor(query.cursor)
        rows = repository.list_deliveries(scope, webhook_id, query.status, after, query.limit + 1)
    return page(rows, query.limit, show_delivery, lambda row: row.id)


def delete(caller: Caller, webhook_id: str) -> None:
    """Delete a webhook with its messages and forget its secret; messages that wait for it are given up."""
    with freeing(caller.state.database) as session:
        hook = get(caller.scope(session), webhook_id, lock=True)
        hook.deleted_at = utcnow()
        hook.secret = ""
        webhooks.forget_messages_to(session, hook)


def test(caller: Caller, webhook_id: str) -> DeliveryDocument:
    """Send a message that is about no job, to show whether messages arrive."""
    with caller.state.database.write() as session:
        scope = caller.scope(session)
        hook = get(scope, webhook_id)
        quotas.require_room_in_database(caller.limits, scope, BYTES_BESIDE_BODY)
        delivery = webhooks.test(session, hook)
        session.flush()
        document = show_delivery(delivery)
    caller.state.publisher.wake()
    return document


def redeliver(caller: Caller, webhook_id: str, delivery_id: str) -> DeliveryDocument:
    """Make a message due now, whatever its result was, under the same id.

    Raises 404 ``webhook_not_found`` or ``delivery_not_found``.
    """
    with caller.state.database.write() as session:
        scope = caller.scope(session)
        get(scope, webhook_id)
        delivery = scope.get(WebhookDelivery, delivery_id, lock=True)
        if delivery is None or delivery.webhook_id != webhook_id:
            raise not_found("delivery", delivery_id)
        webhooks.ask_again(session, delivery)
        session.flush()
        document = show_delivery(delivery)
    caller.state.publisher.wake()
    return document


def get(scope: Scope, webhook_id: str, *, lock: bool = False) -> Webhook:
    """Return the webhook; raises 404 ``webhook_not_found``."""
    hook = scope.get(Webhook, webhook_id, lock=lock)
    if hook is None:
        raise not_found("webhook", webhook_id)
    return hook
