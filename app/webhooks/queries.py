"""Queries about webhooks and the messages to them."""

from collections.abc import Sequence

from sqlalchemy import func, select

from store.scope import Scope
from store.tables import Webhook, WebhookDelivery


def list_webhooks(scope: Scope, after_id: str | None, limit: int) -> Sequence[Webhook]:
    """Return the owner's webhooks, newest first, from `after_id` (exclusive)."""
    query = scope.select(Webhook)
    if after_id is not None:
        query = query.where(Webhook.id < after_id)
    return scope.session.scalars(query.order_by(Webhook.id.desc()).limit(limit)).all()


def count_webhooks(scope: Scope) -> int:
    """Return how many webhooks the owner has."""
    query = select(func.count()).select_from(scope.select(Webhook).subquery())
    return int(scope.session.scalars(query).one())


def list_deliveries(
    scope: Scope, webhook_id: str, status: str | None, after_id: str | None, limit: int
) -> Sequence[WebhookDelivery]:
    """Return the messages to one webhook, newest first, from `after_id` (exclusive)."""
    query = scope.select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id)
    if status is not None:
        query = query.where(WebhookDelivery.status == status)
    if after_id is not None:
        query = query.where(WebhookDelivery.id < after_id)
    return scope.session.scalars(query.order_by(WebhookDelivery.id.desc()).limit(limit)).all()
