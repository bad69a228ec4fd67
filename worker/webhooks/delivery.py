"""Sends one message to a webhook, if it is due, and writes down what came of it."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from store import webhook_messages as webhooks
from store.clock import utcnow
from worker.process_context import WorkerContext
from worker.webhooks.posting import NotTaken, post

logger = logging.getLogger(__name__)


def deliver(context: WorkerContext, delivery_id: str) -> None:
    """Make one attempt; a message delivered twice by the broker, or not due yet, is left alone."""
    with context.database.write() as session:
        claimed = webhooks.claim(session, delivery_id, utcnow())
    if claimed is None:
        logger.info("Message %s is not to be sent now.", delivery_id)
        return
    settings = context.settings
    status: int | None
    error: str | None = None
    try:
        status = post(claimed, settings.webhook_networks, settings.webhook_timeout)
    except NotTaken as failure:
        status, error = failure.status_code, str(failure)
    # neither path nor query: some receivers keep secrets there
    host = urlsplit(claimed.url).hostname
    logger.info("Message %s to %s, attempt %s: %s", delivery_id, host, claimed.attempt, error or status)
    with context.database.write() as session:
        webhooks.record(session, claimed, utcnow(), settings.webhook_max_attempts, status, error)
