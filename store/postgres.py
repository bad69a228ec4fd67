"""Connections to PostgreSQL that wait for no answer for ever, not even for one of a server that has fallen silent.

The server ends statements that take too long. A server that is stopped, or behind a broken network, ends nothing: the
driver then stops waiting, a little later, and closes the connection.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

RV = TypeVar("RV")

#: Seconds that the server gets to end a statement itself, and to say so.
MARGIN = 5.0
KEEPALIVE = {"keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
#: The server's own, so that locks of a host that has vanished are soon free. Probes are sent only while no answer waits
#: to be acknowledged; one that does is sent again for a quarter of an hour unless that has a limit too (RFC 5482).
SERVER_KEEPALIVE = {
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
#: How many times as long as an answer may take a process may say nothing in the middle of a transaction. One that is
#: frozen acknowledges all, and its locks would be held for ever.
IDLE_ANSWERS = 5


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection whose every exchange with the server has a deadline."""

    answer_seconds: float = 60.0 + MARGIN

    def wait(self, gen: Generator[Any, Any, RV], *args: Any, **kwargs: Any) -> RV:
        """Wait for an exchange; raises `psycopg.OperationalError`, with the connection closed, at its deadline."""
        try:
            return super().wait(_until(gen, time.monotonic() + self.answer_seconds), *args, **kwargs)
        except _Silent as error:
            self.pgconn.finish()
            message = f"the database did not answer within {self.answer_seconds:g} seconds; the connection was closed"
            raise psycopg.OperationalError(message) from error


class _Silent(Exception):
    pass


def _until(gen: Generator[Any, Any, RV], deadline: float) -> Generator[Any, Any, RV]:
    """The same exchange, which ends at the deadline; the driver asks it about ten times a second."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() >= deadline:
                raise _Silent
            wanted = gen.send(ready)
    except StopIteration as end:
        value: RV = end.value
        return value


def connect_arguments(connect_seconds: float, answer_seconds: float) -> dict[str, Any]:
    """libpq's parameters; times in seconds."""
    whole_answer = int(1000 * (answer_seconds + MARGIN))
    server = {
        "statement_timeout": int(1000 * answer_seconds),
        "idle_in_transaction_session_timeout": IDLE_ANSWERS * whole_answer,
        **SERVER_KEEPALIVE,
    }
    return {
        "connect_timeout": max(2, round(connect_seconds)),  # libpq knows no less
        "tcp_user_timeout": whole_answer,
        "options": " ".join(f"-c {name}={value}" for name, value in server.items()),
        **KEEPALIVE,
    }


def connect(answer_seconds: float, arguments: tuple[Any, ...], parameters: dict[str, Any]) -> psycopg.Connection[Any]:
    """Open a connection as SQLAlchemy would, one that is impatient."""
    connection = ImpatientConnection.connect(*arguments, **parameters)
    connection.answer_seconds = answer_seconds + MARGIN
    return connection
