"""What large requests took does not stay with the process."""

import asyncio
import gc
import logging
import subprocess
import sys
import weakref

import pytest

from app.http.budgets import BYTES, Budget, Budgets
from app.http.freed_memory import MUCH_BYTES, collect_all, give_back_freed_memory
from pouf_core.system import memory
from tests.waiting import WAIT_SECONDS

MEASURE = """
import asyncio, psutil, time
from app.http.budgets import BYTES, Budget, Budgets
from app.http.freed_memory import MUCH_BYTES, give_back_freed_memory
from pouf_core.system.memory import keep_freed_memory

keep_freed_memory()
resident = lambda: psutil.Process().memory_info().rss
few = Budget(BYTES, 1)
budgets = Budgets(memory=Budget(BYTES, 2**30), pixels=few, streams=few, requests=few)

async def main():
    watch = asyncio.ensure_future(give_back_freed_memory(budgets, 0.05))
    before = resident()
    with budgets.holding("a", alone=True) as holding:
        holding.take_memory(MUCH_BYTES)
        pictures = [bytearray(b"x" * 1_000_000) for _ in range(200)]
        del pictures
        print((resident() - before) // 2**20)
    until = time.monotonic() + 60
    while resident() - before > 50 * 2**20 and time.monotonic() < until:
        await asyncio.sleep(0.05)
    print((resident() - before) // 2**20)
    watch.cancel()

asyncio.run(main())
"""


def test_memory_of_large_requests_goes_back_to_the_system_once_they_have_ended() -> None:
    printed = subprocess.run([sys.executable, "-c", MEASURE], check=True, capture_output=True, text=True).stdout
    kept, left = map(int, printed.split())
    assert kept > 150, "the process keeps what was freed"
    assert left <= 50


def test_memory_is_given_back_again_after_a_time_when_it_could_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []

    def fail_once() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("no such library")

    async def hold_much_twice() -> None:
        budgets = Budgets(
            memory=Budget(BYTES, 2**30), pixels=Budget(BYTES, 1), streams=Budget(BYTES, 1), requests=Budget(BYTES, 4)
        )
        watch = asyncio.ensure_future(give_back_freed_memory(budgets, 0.01))
        for count in (1, 2):
            with budgets.holding("a", alone=True) as holding:
                holding.take_memory(MUCH_BYTES)
            async with asyncio.timeout(WAIT_SECONDS):
                while len(tries) < count and not watch.done():
                    await asyncio.sleep(0.01)
        watch.cancel()

    monkeypatch.setattr(memory, "give_back_memory", fail_once)
    with caplog.at_level(logging.ERROR, "app.http.freed_memory"):
        asyncio.run(hold_much_twice())
    assert len(tries) == 2
    assert "no such library" in caplog.text


def test_later_collections_of_garbage_pass_over_what_is_left_and_the_next_one_of_all_does_not() -> None:
    class Loop:
        def __init__(self) -> None:
            self.itself = self

    loop = Loop()
    gone = weakref.ref(loop)
    try:
        collect_all()
        assert len(gc.get_objects()) < gc.get_freeze_count()
        del loop
        gc.collect()
        assert gone() is not None
        collect_all()
        assert gone() is None
    finally:
        gc.unfreeze()
