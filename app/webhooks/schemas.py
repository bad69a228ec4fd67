"""Webhooks: the request and the documents."""

import json
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from app.http.query_parameters import PageQuery
from app.http.schemas import Closed, Document
from store.tables import Webhook, WebhookDelivery
from store.webhook_messages import NO_JOB
from store.webhook_targets import MAX_URL

EventType = Literal[
    "job.queued",
    "job.running",
    "job.pausing",
    "job.paused",
    "job.cancelling",
    "job.succeeded",
    "job.failed",
    "job.cancelled",
]
JsonObject = dict[str, object]
DeliveryStatus = Literal["pending", "delivered", "failed"]
FINAL_EVENTS: list[EventType] = ["job.succeeded", "job.failed", "job.cancelled"]


def _each_once(value: list[EventType]) -> list[EventType]:
    return list(dict.fromkeys(value))


class WebhookCreate(Closed):
    """A webhook to create."""

    url: Annotated[str, Field(max_length=MAX_URL, description="`https://…`, at a public address.")]
    event_types: Annotated[
        list[EventType], Field(min_length=1, description="Default: how a job ended."), AfterValidator(_each_once)
    ] = FINAL_EVENTS


class DeliveryListQuery(PageQuery):
    """A page of the messages to a webhook."""

    status: DeliveryStatus | None = None


class WebhookDocument(Document):
    """A URL that job transitions are sent to."""

    object: Literal["webhook"]
    id: str
    url: str
    event_types: list[EventType]
    created_at: datetime
    urls: dict[str, str]


class CreatedWebhookDocument(WebhookDocument):
    """A new webhook, with the secret that its messages are signed with."""

    secret: str


class DeliveryDocument(Document):
    """A message to a webhook."""

    object: Literal["webhook_delivery"]
    id: str
    webhook_id: str
    job_id: Annotated[str | None, Field(description="Null of a `webhook.test`.")]
    event_type: EventType | Literal["webhook.test"]
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
    status_code: int | None
    error: str | None
    message: JsonObject
    created_at: datetime
    finished_at: datetime | None
    urls: dict[str, str]


def show_webhook(hook: Webhook) -> WebhookDocument:
    """Return the webhook's document, without its secret."""
    url = f"/v1/webhooks/{hook.id}"
    return WebhookDocument(
        object="webhook",
        id=hook.id,
        url=hook.url,
        event_types=hook.event_types,
        created_at=hook.created_at,
        urls={"self": url, "deliveries": f"{url}/deliveries"},
    )


def show_delivery(delivery: WebhookDelivery) -> DeliveryDocument:
    """Return the document of a message."""
    hook = f"/v1/webhooks/{delivery.webhook_id}"
    pending = delivery.status == "pending"
    job_id = None if delivery.job_id == NO_JOB else delivery.job_id
    return DeliveryDocument(
        object="webhook_delivery",
        id=delivery.id,
        webhook_id=delivery.webhook_id,
        job_id=job_id,
        event_type=delivery.event_type,
        status=delivery.status,
        attempts=delivery.attempts,
        next_attempt_at=delivery.next_attempt_at if pending else None,
        status_code=delivery.status_code,
        error=delivery.error,
        message=json.loads(delivery.body),
        created_at=delivery.created_at,
        finished_at=delivery.finished_at,
        urls={
            "webhook": hook,
            "redeliver": f"{hook}/deliveries/{delivery.id}/redeliver",
            **({} if job_id is None else {"job": f"/v1/jobs/{job_id}"}),
        },
    )
