"""What large requests took does not stay with the process."""

import subprocess
import sys

MEASURE = """
import asyncio, psutil, time
from app.http.budgets import BYTES, Budget, Budgets
from app.http.freed_memory import MUCH_BYTES, give_back_freed_memory
from pouf_core.system.memory import keep_freed_memory

keep_freed_memory()
resident = lambda: psutil.Process().memory_info().rss
budgets = Budgets(memory=Budget(BYTES, 2**30), pixels=Budget(BYTES, 1), streams=Budget(BYTES, 1))

async def main():
    watch = asyncio.ensure_future(give_back_freed_memory(budgets, 0.05))
    before = resident()
    with budgets.holding("a", alone=True) as holding:
        holding.take_memory(MUCH_BYTES)
        pictures = [bytearray(b"x" * 1_000_000) for _ in range(200)]
        del pictures
        print((resident() - before) // 2**20)
    until = time.monotonic() + 20
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
