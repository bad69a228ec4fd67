"""The slow-client timeout of a connection, before and after the body, for `uvicorn --http`.

`app.http.slow_clients` bounds the body between the two.
"""

import asyncio
import json
import logging
import socket
import time
from collections.abc import Callable
from typing import Any, TypedDict

import h11
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from app.http.errors import PROBLEM_JSON, ApiError, problem_document
from store.ids import new_id
from store.settings import Settings

logger = logging.getLogger(__name__)

#: For so long what came on one connection is taken apart, until all others have had their turn: a body of tiny chunks
#: holds tens of thousands of them in what is read at once.
TURN_SECONDS = 0.002
_LENGTHS = frozenset((b"content-length", b"transfer-encoding"))


class ConnectionLimits(TypedDict):
    """The slow-client timeout in seconds, how many connections may be open, and those that wait, the oldest first."""

    stall_seconds: float
    max_connections: int
    waiting: dict["SlowClientProtocol", None]


def connection_limits(settings: Settings) -> ConnectionLimits:
    """Return what the application's lifespan has to yield: `SlowClientProtocol` reads its limits from there."""
    return {"stall_seconds": settings.stall_seconds, "max_connections": settings.connections, "waiting": {}}


class _Flow(FlowControl):
    """Reads nothing more while what was read is still to be taken apart."""

    backlog = False

    def resume_reading(self) -> None:
        if not self.backlog:
            super().resume_reading()


class SlowClientProtocol(H11Protocol):
    """HTTP/1.1 whose connections are cut off when the client is too slow, or when there are too many.

    A request's head has to be complete `stall_seconds` after the connection was made, or after the first byte of a
    later request, however its bytes are spread, and so has the rest of a body that was answered before its end. Between
    two requests uvicorn's own keep-alive timeout holds. Connections take turns at being parsed. Above the limit the one
    that has waited longest for a request makes room, and where all have one the newest is refused: whoever opens
    connections and says nothing keeps nobody out.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _turn_ends = 0.0
    _last_event: object = None
    _parse: Callable[[], Any]
    flow: _Flow

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse the connection, or begin to wait for a request."""
        super().connection_made(transport)
        self.flow = _Flow(transport)
        self._parse = self.conn.next_event
        self.conn.next_event = self._next_event  # type: ignore[method-assign]
        if len(self.connections) > self.app_state["max_connections"]:
            longest = next(filter(SlowClientProtocol._waits, self.app_state["waiting"]), self)
            longest._give_way()
            if longest is self:
                return
        self._wait()
        _give_up_unread(transport, self.app_state["stall_seconds"])
        self._await_head()

    def _wait(self) -> None:
        """Be the last of those that wait for a request's head."""
        waiting = self.app_state["waiting"]
        waiting.pop(self, None)
        waiting[self] = None

    def _waits(self) -> bool:
        return self.conn.their_state is h11.IDLE and not self.transport.is_closing()

    def _give_way(self) -> None:
        if self.cycle is not None and not self.conn.trailing_data[0]:  # an answer to no request would be misread
            self.transport.close()
            return
        detail = "Too many connections are open; try again."
        self._refuse(ApiError(503, "too_many_connections", detail, headers={"Retry-After": "2"}))

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._wait()
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        """Wait for the rest of a request's head, until it is there."""
        super().data_received(data)
        self._watch_head()

    def handle_events(self) -> None:
        """Take a turn at what has come."""
        self._turn_ends, self._last_event = time.perf_counter() + TURN_SECONDS, None
        super().handle_events()
        if self.flow.read_paused:  # uvicorn goes on to read behind its back after a body that was answered early
            self.transport.pause_reading()

    def _next_event(self) -> Any:
        """The next part of what has come, or `PAUSED` once the turn has ended; a turn has one at least."""
        if self._last_event is None or time.perf_counter() < self._turn_ends:
            try:
                self._last_event = self._parse()
            except h11.RemoteProtocolError as error:
                self._refuse_invalid(error)
                self._last_event = h11.PAUSED
            if isinstance(self._last_event, h11.Request) and {name for name, _ in self._last_event.headers} >= _LENGTHS:
                self._refuse_ambiguous(self._last_event)
                self._last_event = h11.PAUSED
            return self._last_event
        if not self.flow.backlog:
            self.flow.backlog = True
            self.loop.call_soon(self._go_on)
        return h11.PAUSED

    def _go_on(self) -> None:
        self.flow.backlog = False
        if self.transport.is_closing():
            return
        self.handle_events()
        self._watch_head()
        wanted = self.cycle is None or self.cycle.response_complete or len(self.cycle.body) <= HIGH_WATER_LIMIT
        if self._last_event is h11.NEED_DATA and wanted:
            self.flow.resume_reading()

    def _should_upgrade(self) -> bool:
        return False  # to nothing: a request to is one like others

    def _watch_head(self) -> None:
        if self.conn.their_state is not h11.IDLE and not self._is_answered_early:
            self._stop_waiting()
        elif self._head_timer is None:
            self._await_head()

    @property
    def _is_answered_early(self) -> bool:
        """Whether the rest of a body still comes that nobody reads."""
        return self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        self.app_state["waiting"].pop(self, None)
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.app_state["stall_seconds"], self._cut_off)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _cut_off(self) -> None:
        if self._is_answered_early:
            self.transport.close()
        elif not self.transport.is_closing():
            seconds = self.app_state["stall_seconds"]
            detail = f"The request's head was not complete after {seconds:g} seconds."
            self._refuse(ApiError(408, "client_stalled", detail))

    def _refuse_ambiguous(self, request: h11.Request) -> None:
        """A proxy may take such a request to end elsewhere, and what follows for another one."""
        if request.method == b"HEAD":
            self.transport.close()
        else:
            detail = "A request has either Content-Length or Transfer-Encoding."
            self._refuse(ApiError(400, "invalid_http_request", detail))

    def _refuse_invalid(self, error: h11.RemoteProtocolError) -> None:
        """Answer what cannot be read, unless an answer has begun, and let go of the request that it was part of."""
        unanswered = self.conn.our_state is h11.SEND_RESPONSE and self.scope["method"] != "HEAD"
        if unanswered or self.conn.our_state is h11.IDLE:
            detail = f"This is no HTTP/1.1 request that can be read: {error}."
            self._refuse(ApiError(error.error_status_hint, "invalid_http_request", detail))
        else:
            self.transport.close()
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _refuse(self, error: ApiError) -> None:
        request_id = new_id("req")
        logger.debug("connection closed: %s %s", error.code, request_id)
        body = json.dumps(problem_document(error, "", request_id)).encode()
        headers = {
            **error.headers,
            "Content-Type": PROBLEM_JSON,
            "Content-Length": str(len(body)),
            "Connection": "close",
            "X-Request-Id": request_id,
        }
        response = h11.Response(
            status_code=error.status, headers=list(headers.items()), reason=STATUS_PHRASES[error.status]
        )
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def _give_up_unread(transport: asyncio.Transport, seconds: float) -> None:
    """Let the kernel end the connection when the client has read nothing of what waits for it for `seconds`."""
    connection = transport.get_extra_info("socket")
    # Linux; elsewhere the kernel's own, longer timeout holds
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None and connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, option, int(seconds * 1000))


#: The former name, which start commands of operators may still give to `uvicorn --http`.
PatientProtocol = SlowClientProtocol
