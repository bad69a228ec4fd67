"""Sends one message to a webhook, if it is due, and stores the result.

The request is one signed POST to a checked address: no redirects, no proxies, and a deadline for the whole exchange.
"""

import logging
import ssl
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpcore
from standardwebhooks import Webhook as Signer

from store import webhook_messages as webhooks
from store.leases import database_now
from store.queues import enqueue_delivery
from store.webhook_messages import Claimed
from store.webhook_targets import Network, TargetRefused, check_url, resolve
from worker.process_context import WorkerContext
from worker.webhooks.turns import MOST_OF_AN_OWNER, OwnerTurns

logger = logging.getLogger(__name__)

USER_AGENT = "pouf-webhooks/1"
CONNECT_SECONDS = 5.0

_turns = OwnerTurns()


class NotAccepted(Exception):
    """The message did not arrive or was refused; `status_code` is the answer's, if there was one."""

    def __init__(self, reason: str, status_code: int | None = None) -> None:
        super().__init__(reason)
        self.status_code = status_code


def deliver(context: WorkerContext, delivery_id: str) -> None:
    """Make one attempt, if it is the owner's turn and the message is due, as it is not when a task comes twice."""
    with context.database.read() as session:
        owner = webhooks.owner_of(session, delivery_id)
    if owner is None or not _turns.take(owner):
        logger.info("Message %s is not to be sent now.", delivery_id)
        return
    was_due = False
    try:
        was_due = _attempt(context, delivery_id)
    finally:
        passed_over = _turns.give_back(owner)
    if was_due and passed_over:
        _wake_for(context, owner)


def _wake_for(context: WorkerContext, owner: str) -> None:
    """Wake workers up for what of the owner is due."""
    with context.database.write() as session:
        found = webhooks.due(session, database_now(session), MOST_OF_AN_OWNER, owner)
        for delivery_id in found:
            enqueue_delivery(session, delivery_id)
    if not found:
        _turns.nothing_is_due(owner)
    context.publish()


def _attempt(context: WorkerContext, delivery_id: str) -> bool:
    """Send the message, if it is due; returns whether it was."""
    with context.database.write() as session:
        claimed = webhooks.claim(session, delivery_id, database_now(session))
    if claimed is None:
        logger.info("Message %s is not due.", delivery_id)
        return False
    settings = context.settings
    status: int | None
    error: str | None = None
    try:
        status = post(claimed, settings.webhook_networks, settings.webhook_timeout)
    except NotAccepted as failure:
        status, error = failure.status_code, str(failure)
    # neither path nor query: some receivers keep secrets there
    host = urlsplit(claimed.url).hostname
    logger.info("Message %s to %s, attempt %s: %s", delivery_id, host, claimed.attempt, error or status)
    with context.database.write() as session:
        webhooks.record(session, claimed, database_now(session), settings.webhook_max_attempts, status, error)
    return True


def post(message: Claimed, allowed: Sequence[Network], seconds: float) -> int:
    """Send the message and return the status of the answer, 2xx; raises `NotAccepted`.

    Nothing of the answer's body is read.
    """
    try:
        check_url(message.url, allowed)
        backend = _CheckedBackend(allowed, time.monotonic() + seconds)
        timeout = {"connect": CONNECT_SECONDS, "read": seconds, "write": seconds, "pool": seconds}
        with (
            httpcore.ConnectionPool(ssl_context=ssl.create_default_context(), network_backend=backend) as pool,
            pool.stream(
                "POST",
                message.url,
                headers=list(headers(message).items()),
                content=message.body.encode(),
                extensions={"timeout": timeout},
            ) as answer,
        ):
            status = answer.status
    except TargetRefused as error:
        raise NotAccepted(str(error)) from error
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
        raise NotAccepted(f"{type(error).__name__}: {error}".removesuffix(": ")) from error
    if not 200 <= status < 300:
        raise NotAccepted(f"The answer was {status}.", status)
    return status


def headers(message: Claimed) -> dict[str, str]:
    """Return the request's headers, with those of Standard Webhooks."""
    now = datetime.now(UTC)
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": message.delivery_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(message.secret).sign(message.delivery_id, now, message.body),
    }


class _CheckedBackend(httpcore.NetworkBackend):
    """Connects to an address that was checked; TLS still requires a certificate for the host's name."""

    def __init__(self, allowed: Sequence[Network], deadline: float) -> None:
        self._sockets = httpcore.SyncBackend()
        self._allowed = allowed
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        address = resolve(host, port, self._allowed)
        stream = self._sockets.connect_tcp(address, port, timeout, local_address, socket_options)
        return _StreamWithDeadline(stream, self._deadline)


class _StreamWithDeadline(httpcore.NetworkStream):
    """A stream whose reads and writes end at the deadline, even while single bytes keep arriving."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._left(httpcore.ConnectTimeout)
        return _StreamWithDeadline(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)

    def _left(self, error: type[Exception]) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise error("no answer in time")
        return left
