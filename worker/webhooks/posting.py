"""One signed POST to a checked address: no redirects, no proxies, and an end to it, however slowly it is answered."""

import ssl
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import httpcore
from standardwebhooks import Webhook as Signer

from store.webhook_messages import Claimed
from store.webhook_targets import Network, TargetRefused, check_url, resolve

USER_AGENT = "pouf-webhooks/1"
CONNECT_SECONDS = 5.0


class NotTaken(Exception):
    """The message did not arrive or was not taken; `status_code` is the answer's, if there was one."""

    def __init__(self, reason: str, status_code: int | None = None) -> None:
        super().__init__(reason)
        self.status_code = status_code


def post(message: Claimed, allowed: Sequence[Network], seconds: float) -> int:
    """Send the message and return the status of the answer, 2xx; raises `NotTaken`.

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
                headers=headers(message),
                content=message.body.encode(),
                extensions={"timeout": timeout},
            ) as answer,
        ):
            status = answer.status
    except TargetRefused as error:
        raise NotTaken(str(error)) from error
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
        raise NotTaken(f"{type(error).__name__}: {error}".removesuffix(": ")) from error
    if not 200 <= status < 300:
        raise NotTaken(f"The answer was {status}.", status)
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
    """Connects to an address that was checked; TLS still asks for a certificate of the host's name."""

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
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        address = resolve(host, port, self._allowed)
        stream = self._sockets.connect_tcp(address, port, timeout, local_address, socket_options)
        return _StreamWithDeadline(stream, self._deadline)


class _StreamWithDeadline(httpcore.NetworkStream):
    """A stream on which nothing waits beyond the deadline, even when bytes go on dripping in."""

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

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _left(self, error: type[Exception]) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise error("no answer in time")
        return left
