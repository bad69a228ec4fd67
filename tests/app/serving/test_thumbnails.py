"""Thumbnails of several owners."""

import asyncio
import threading

from app.http.budgets import Budgets
from app.serving.thumbnails import Thumbnails
from tests.waiting import WAIT_SECONDS


def test_an_owner_waits_for_no_thumbnail_of_another(settings, picture):
    thumbnails, budgets = Thumbnails(settings), Budgets.of(settings)
    may_read = threading.Event()

    def slowly() -> bytes:
        may_read.wait()
        return picture("blue")

    async def ask_for_both() -> list[bytes]:
        with budgets.holding("slow", alone=False) as slow, budgets.holding("other", alone=False) as other:
            waiting = [asyncio.create_task(thumbnails.make(100, slowly, slow)) for _ in range(3)]
            try:
                await asyncio.sleep(0)
                found = await asyncio.wait_for(thumbnails.make(100, lambda: picture("red"), other), WAIT_SECONDS)
                assert not any(task.done() for task in waiting)
            finally:
                may_read.set()
            return [found, *await asyncio.gather(*waiting)]

    try:
        made = asyncio.run(ask_for_both())
    finally:
        thumbnails.close()
    assert [each[:2] for each in made] == [b"\xff\xd8"] * 4
