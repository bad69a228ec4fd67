"""The slow-client timeout of bodies, without a server."""

import asyncio
import time
from types import SimpleNamespace

import pytest

from app.http.slow_clients import MINIMUM_BYTES_PER_SECOND_IN_MEMORY, ClientStalled, with_slow_client_timeout


def body(data, pause, more=True):
    async def receive():
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": data, "more_body": more}

    return receive


@pytest.mark.parametrize("pause", [300, 0.05])
def test_a_body_that_stops_or_comes_below_the_minimum_data_rate_is_given_up(pause):
    receive = with_slow_client_timeout(body(b"x", pause), 0.3)

    async def read():
        while True:
            await receive()

    started = time.monotonic()
    with pytest.raises(ClientStalled):
        asyncio.run(read())
    assert time.monotonic() - started < 200


def test_a_body_above_the_minimum_data_rate_may_take_longer_than_the_timeout(monkeypatch):
    now = [0.0]

    async def in_ten_seconds():
        now[0] += 10
        return {"type": "http.request", "body": b"x" * 100_000, "more_body": True}

    monkeypatch.setattr("app.http.slow_clients.time", SimpleNamespace(monotonic=lambda: now[0]))
    receive = with_slow_client_timeout(in_ten_seconds, 60)

    async def read():
        while now[0] < 10 * 60:
            await receive()

    asyncio.run(read())


def test_after_the_body_waiting_for_the_client_to_leave_may_take_any_time():
    async def complete():
        return {"type": "http.request", "body": b"", "more_body": False}

    messages = [complete, body(b"", 0.5)]

    async def receive():
        return await messages.pop(0)()

    async def read():
        bounded = with_slow_client_timeout(receive, 0.1)
        await bounded()
        await bounded()

    asyncio.run(read())


def test_bodies_kept_in_memory_have_to_come_faster():
    receive = with_slow_client_timeout(body(b"x" * 100, 0.01), 0.3, MINIMUM_BYTES_PER_SECOND_IN_MEMORY)

    async def read():
        while True:
            await receive()

    with pytest.raises(ClientStalled):
        asyncio.run(read())
