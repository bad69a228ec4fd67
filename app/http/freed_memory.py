"""Memory that requests held goes back to the system when they have ended.

The process keeps freed memory for its next batch (`pouf_core.system.memory.keep_freed_memory`), and after many large
requests that is far more than a batch needs.
"""

import asyncio
import gc
import logging

from starlette.concurrency import run_in_threadpool

from app.http.budgets import Budgets

logger = logging.getLogger(__name__)

QUIET_SECONDS = 5.0
#: Less is what ordinary requests take, which the next ones take again.
MUCH_BYTES = 64 * 1024**2
BYTES_PER_PIXEL = 3


async def give_back_freed_memory(budgets: Budgets, quiet_seconds: float = QUIET_SECONDS) -> None:
    """Give memory back whenever requests held much and then, for some seconds, did not; until cancelled."""
    held_much = False
    while True:
        await asyncio.sleep(quiet_seconds)
        holds_much = budgets.memory.take_peak() + BYTES_PER_PIXEL * budgets.pixels.take_peak() >= MUCH_BYTES
        if held_much and not holds_much:
            await run_in_threadpool(_give_back)
        held_much = holds_much


def collect_all() -> None:
    """Collect garbage and give freed memory to the system; later collections pass over what is left.

    With PyTorch and a model there are half a million objects that stay. Looking at them all takes a third of a second,
    in which no other thread runs: it is done here, and not in the middle of requests.
    """
    from pouf_core.system.memory import give_back_memory  # brings PyTorch

    gc.unfreeze()
    try:
        give_back_memory()
    finally:
        gc.freeze()


def _give_back() -> None:
    try:
        collect_all()
    except Exception:  # whatever it is, the next try may do
        logger.exception("Freed memory could not be given back to the system.")
